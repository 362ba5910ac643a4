/* The functions of fcgiapp.h on a request of FCGX_RequestNew do what they do on one of FCGX_InitRequest, and the
 * functions of both headers may take turns on it. */
#include "request.h"

static int listener;

static int begin(FCGX_Request *r, int flags)
{
    int client = connect_here();

    send_head(client, 1, FCGI_RESPONDER, flags);
    send_text(client, FCGI_STDIN, 1, "body");
    send_end(client, FCGI_STDIN, 1);
    printf("accept %d\n", FCGX_Accept_r(r));
    return client;
}

/* Accepts the next request of a kept connection, or of any other. */
static void accept_next(FCGX_Request *r)
{
    printf("accept %d", FCGX_Accept_r(r));
    printf(", id %d\n", r->requestId);
}

static void state(const char *when, const FCGX_Request *r)
{
    printf("%s: streams %s, %s, %s\n", when, r->in == NULL && r->out == NULL && r->err == NULL ? "gone" : "there",
           r->ipcFd < 0 ? "no descriptor" : is_open(r->ipcFd) ? "open" : "closed",
           r->detached ? "detached" : "attached");
}

/* Runs on both kinds of requests. */
static void by_fcgiapp(FCGX_Request *r)
{
    int client = begin(r, FCGI_KEEP_CONN), fd;
    char body[8] = "";

    printf("%d bytes, ", FCGX_GetStr(body, 8, r->in));
    printf("role %d, id %d, keep %d, %s %s\n", r->role, r->requestId, r->keepConnection, body,
           FCGX_GetParam("SCRIPT_NAME", r->envp));
    FCGX_PutS("output", r->out);
    FCGX_PutS("log", r->err);
    FCGX_SetExitStatus(3, r->out);
    FCGX_Finish_r(r);
    print_request_reply(client);
    state("kept", r);
    FCGX_Finish_r(r);
    state("finished twice", r);
    send_kept(client, 2);
    accept_next(r);
    FCGX_Free(r, 1);
    state("in a request, Free 1", r);
    print_reply(client);

    client = begin(r, FCGI_KEEP_CONN);
    FCGX_Finish_r(r);
    FCGX_Free(r, 1);
    state("kept, Free 1", r);
    print_request_reply(client);
    print_reply(client);

    client = begin(r, FCGI_KEEP_CONN);
    FCGX_Finish_r(r);
    FCGX_Free(r, 0);
    state("kept, Free 0", r);
    print_request_reply(client);
    send_kept(client, 2);
    accept_next(r);
    FCGX_Free(r, 0);
    state("in a request, Free 0", r);
    FCGX_Free(r, 1);
    state("then Free 1", r);
    print_reply(client);

    client = begin(r, 0);
    fd = r->ipcFd;
    printf("detach %d\n", FCGX_Detach(r));
    state("in a request", r);
    FCGX_PutS("detached", r->out);
    FCGX_Finish_r(r);
    state("finished", r);
    printf("its descriptor: %s\n", is_open(fd) ? "open" : "closed");
    print_reply(client);

    client = begin(r, 0);
    printf("detach %d", FCGX_Detach(r));
    printf(", attach %d\n", FCGX_Attach(r));
    state("in a request", r);
    FCGX_Finish_r(r);
    print_reply(client);
    printf("finished: detach %d", FCGX_Detach(r));
    printf(", attach %d\n", FCGX_Attach(r));
}

/* Both headers on one request. */
static void in_turns(FCGX_Request *r)
{
    int client = begin(r, FCGI_KEEP_CONN), i;
    char body[8];

    show("Read", FCGX_RequestRead(r, body, sizeof body));
    show("Info", FCGX_RequestInfo(r, FCGX_INFO_KEEP));
    show("Write", FCGX_RequestWrite(r, "accepted by Accept_r, ", 22));
    FCGX_PutS("ended by End", r->out);
    show("End", FCGX_RequestEnd(r, 4));
    print_request_reply(client);
    state("ended", r);
    FCGX_Finish_r(r);

    send_kept(client, 2);
    show("Next", FCGX_RequestNext(r, -1));
    show("Write", FCGX_RequestWrite(r, "accepted by Next, ", 18));
    FCGX_PutS("ended by Finish_r", r->out);
    FCGX_Finish_r(r);
    print_request_reply(client);
    show("End", FCGX_RequestEnd(r, 5));
    show("Abort", FCGX_RequestAbort(r));

    send_kept(client, 3);
    show("Next", FCGX_RequestNext(r, -1));
    FCGX_PutS("ended by Accept_r", r->out);
    send_kept(client, 4);
    accept_next(r);
    print_request_reply(client);
    FCGX_PutS("abandoned by Next", r->out);
    show("Next", FCGX_RequestNext(r, 0));
    print_reply(client);

    for (i = 0; i < 2; i++) {
        client = begin(r, FCGI_KEEP_CONN);
        FCGX_Free(r, i);
        printf("after Free %d\n", i);
        show("Write", FCGX_RequestWrite(r, "x", 1));
        show("Abort", FCGX_RequestAbort(r));
        show("End", FCGX_RequestEnd(r, 0));
        state("and End", r);
        if (i == 0) {
            send_end(client, FCGI_STDIN, 1);
            send_kept(client, 2);
            show("Next", FCGX_RequestNext(r, PATIENCE_MS));
            show("id", FCGX_RequestInfo(r, FCGX_INFO_ID));
            show("End", FCGX_RequestEnd(r, 0));
            print_request_reply(client);
        }
        close(client);
    }

    client = begin(r, FCGI_KEEP_CONN);
    FCGX_Detach(r);
    show("detached, Write", FCGX_RequestWrite(r, "whole", 5));
    show("End", FCGX_RequestEnd(r, 0));
    print_request_reply(client);
    close(client);
    client = begin(r, FCGI_KEEP_CONN);
    show("Abort", FCGX_RequestAbort(r));
    FCGX_Finish_r(r);
    state("aborted, Finish_r", r);
    print_reply(client);
}

int main(void)
{
    FCGX_Request request;
    struct FCGX_Request *r;

    listener = FCGX_Listen(SOCKET_PATH, 5);
    FCGX_Init();
    FCGX_InitRequest(&request, listener, 0);
    printf("== of FCGX_InitRequest\n");
    by_fcgiapp(&request);
    r = FCGX_RequestNew(listener, 0);
    printf("== of FCGX_RequestNew\n");
    by_fcgiapp(r);
    printf("== both headers\n");
    in_turns(r);
    FCGX_RequestFree(r);

    r = FCGX_RequestNew(listener, 0);
    begin(r, 0);
    FCGX_Free(r, 1);
    FCGX_RequestFree(r);
    r = FCGX_RequestNew(listener, 0);
    begin(r, FCGI_KEEP_CONN);
    FCGX_Finish_r(r);
    FCGX_RequestFree(r);
    return 0;
}
