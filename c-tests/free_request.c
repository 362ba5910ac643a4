/* FCGX_Free at any time: before, in, between and after requests, with or without closing the
 * connection. */
#include "fcgi_client.h"

static void state(const char *when, const FCGX_Request *request)
{
    printf("%s: streams %s, %s\n", when,
           request->in == NULL && request->out == NULL && request->err == NULL ? "gone" : "there",
           request->ipcFd < 0 ? "no descriptor" : is_open(request->ipcFd) ? "open" : "closed");
}

static int kept_request(FCGX_Request *request)
{
    int client = connect_here();

    send_head(client, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
    send_end(client, FCGI_STDIN, 1);
    FCGX_Accept_r(request);
    return client;
}

int main(void)
{
    FCGX_Request request;
    int client, descriptor;

    FCGX_Free(NULL, 0);
    FCGX_Free(NULL, 1);
    FCGX_InitRequest(&request, listen_here(), 0);
    FCGX_Free(&request, 0);
    state("fresh, Free 0", &request);
    FCGX_Free(&request, 1);
    state("fresh, Free 1", &request);

    client = kept_request(&request);
    descriptor = request.ipcFd;
    FCGX_PutS("never sent", request.out);
    send_no_more(client);
    FCGX_Free(&request, 1);
    state("in a request, Free 1", &request);
    printf("descriptor open %d\n", is_open(descriptor));
    print_reply(client);
    FCGX_Free(&request, 1);
    state("again", &request);

    client = kept_request(&request);
    FCGX_Finish_r(&request);
    print_request_reply(client);
    state("kept", &request);
    send_no_more(client);
    FCGX_Free(&request, 1);
    state("kept, Free 1", &request);
    print_reply(client);

    client = kept_request(&request);
    FCGX_Finish_r(&request);
    print_request_reply(client);
    FCGX_Free(&request, 0);
    state("kept, Free 0", &request);
    send_request(client, "the next request of that connection");
    send_no_more(client);
    printf("accept %d\n", FCGX_Accept_r(&request));
    FCGX_PutS("answer", request.out);
    FCGX_Finish_r(&request);
    print_reply(client);

    client = kept_request(&request);
    FCGX_Free(&request, 0);
    state("in a request, Free 0", &request);
    print_arrived(client);
    send_no_more(client);
    FCGX_Free(&request, 1);
    state("then Free 1", &request);
    print_reply(client);

    client = request_here("");
    printf("accept %d\n", FCGX_Accept_r(&request));
    FCGX_Finish_r(&request);
    FCGX_Free(&request, 1);
    print_reply(client);
    return 0;
}
