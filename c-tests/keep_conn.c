/* Several requests on one connection: KEEP_CONN decides whether it is kept. The program may poll
 * ipcFd and change keepConnection. */
#include "fcgi_client.h"

static void serve(FCGX_Request *request, const char *answer)
{
    char body[20];
    int got;

    FCGX_Accept_r(request);
    got = FCGX_GetStr(body, sizeof body, request->in);
    printf("request %d, keepConnection %d, body \"%.*s\"\n", request->requestId,
           request->keepConnection, got, body);
    FCGX_PutS(answer, request->out);
    FCGX_Finish_r(request);
    printf("after Finish: %s\n", request->ipcFd < 0 ? "no descriptor" : "kept");
}

static void send_kept(int client, int id, int flags, const char *body)
{
    send_head(client, id, FCGI_RESPONDER, flags);
    send_text(client, FCGI_STDIN, id, body);
    send_end(client, FCGI_STDIN, id);
}

int main(void)
{
    FCGX_Request request;
    int client, kept;

    FCGX_InitRequest(&request, listen_here(), 0);
    client = connect_here();
    send_kept(client, 1, FCGI_KEEP_CONN, "one");
    serve(&request, "first");
    kept = request.ipcFd;
    print_request_reply(client);
    printf("readable %d\n", fd_is_readable(kept, 0));
    send_kept(client, 2, FCGI_KEEP_CONN, "two");
    printf("readable %d\n", fd_is_readable(kept, PATIENCE_MS));
    serve(&request, "second");
    print_request_reply(client);
    printf("the same descriptor %d\n", request.ipcFd == kept);
    send_kept(client, 1, 0, "three");
    send_no_more(client);
    serve(&request, "third");
    print_reply(client);

    printf("the program closes\n");
    client = connect_here();
    send_kept(client, 1, FCGI_KEEP_CONN, "one");
    send_no_more(client);
    FCGX_Accept_r(&request);
    request.keepConnection = 0;
    FCGX_Finish_r(&request);
    printf("%s\n", request.ipcFd < 0 ? "no descriptor" : "kept");
    print_reply(client);

    printf("the web server closes\n");
    client = connect_here();
    send_kept(client, 1, FCGI_KEEP_CONN, "one");
    serve(&request, "first");
    print_request_reply(client);
    close(client);
    client = connect_here();
    send_kept(client, 5, 0, "another connection");
    send_no_more(client);
    serve(&request, "answer");
    print_reply(client);
    return 0;
}
