/* FCGX_RequestGone: what it says for each thing that a web server does, and that the body stays unread. On
 * requests of FCGX_RequestNew, of FCGX_Accept_r, and that of FCGX_Accept and FCGI_Accept. */
#include "request.h"

int FCGI_Accept(void); /* fcgi_stdio.h would replace stdio */
void FCGI_Finish(void);

#define LARGE 60000

static int listener;

/* Begins a request on a new connection and accepts it. */
static int begin(struct FCGX_Request *r, int flags)
{
    int client = connect_here();

    send_head(client, 1, FCGI_RESPONDER, flags);
    show("Next", FCGX_RequestNext(r, -1));
    return client;
}

static void read_rest(struct FCGX_Request *r)
{
    static char body[2 * LARGE];
    ptrdiff_t n;
    long all = 0;

    while ((n = FCGX_RequestRead(r, body, sizeof body)) > 0)
        all += n;
    printf("Read: %ld bytes, ", all);
    show("then", n);
}

static void end(struct FCGX_Request *r, int client)
{
    show("End", FCGX_RequestEnd(r, 0));
    show("ended", FCGX_RequestGone(r));
    print_reply(client);
}

static void what_a_server_does(struct FCGX_Request *r)
{
    int client = begin(r, 0);

    printf("-- it waits\n");
    show("no body", FCGX_RequestGone(r));
    send_text(client, FCGI_STDIN, 1, "body");
    show("part of it", FCGX_RequestGone(r));
    send_end(client, FCGI_STDIN, 1);
    show("all of it", FCGX_RequestGone(r));
    show("twice", FCGX_RequestGone(r));
    read_rest(r);
    show("read", FCGX_RequestGone(r));
    end(r, client);

    printf("-- it sends ABORT_REQUEST\n");
    client = begin(r, FCGI_KEEP_CONN);
    send_text(client, FCGI_STDIN, 1, "body");
    send_record(client, FCGI_ABORT_REQUEST, 1, "", 0);
    show("behind part of the body", FCGX_RequestGone(r));
    read_rest(r);
    show("End", FCGX_RequestEnd(r, 0));
    print_request_reply(client);
    close(client);

    printf("-- it closes the connection\n");
    client = begin(r, 0);
    send_text(client, FCGI_STDIN, 1, "body");
    close(client);
    show("in the body", FCGX_RequestGone(r));
    show("End", FCGX_RequestEnd(r, 0));
    client = begin(r, 0);
    send_end(client, FCGI_STDIN, 1);
    close(client);
    show("behind it", FCGX_RequestGone(r));
    show("Write", FCGX_RequestWrite(r, "x", 1));
    show("End", FCGX_RequestEnd(r, 0));

    printf("-- it shuts its sending side down, and reads\n");
    client = begin(r, 0);
    send_text(client, FCGI_STDIN, 1, "body");
    send_end(client, FCGI_STDIN, 1);
    send_no_more(client);
    show("half-closed", FCGX_RequestGone(r));
    read_rest(r);
    FCGX_RequestWrite(r, "whole", 5);
    end(r, client);
}

/* Of a large body only a part is received to look behind it. */
static void behind_a_large_body(struct FCGX_Request *r)
{
    static char large[LARGE];
    int client = begin(r, FCGI_KEEP_CONN);

    printf("-- it sends a large body, and ABORT_REQUEST\n");
    send_record(client, FCGI_STDIN, 1, large, sizeof large);
    send_record(client, FCGI_ABORT_REQUEST, 1, "", 0);
    show("unread", FCGX_RequestGone(r));
    read_rest(r);
    show("read", FCGX_RequestGone(r));
    show("End", FCGX_RequestEnd(r, 0));
    print_request_reply(client);
    close(client);
}

/* What it received to look is not lost: neither the body nor the next request. */
static void next_request_behind(struct FCGX_Request *r)
{
    int client = begin(r, FCGI_KEEP_CONN);

    printf("-- it sends the next request\n");
    send_text(client, FCGI_STDIN, 1, "body");
    send_end(client, FCGI_STDIN, 1);
    send_kept(client, 2);
    show("unread", FCGX_RequestGone(r));
    read_rest(r);
    show("read", FCGX_RequestGone(r));
    show("End", FCGX_RequestEnd(r, 0));
    print_request_reply(client);
    show("Next", FCGX_RequestNext(r, -1));
    show("the second", FCGX_RequestGone(r));
    show("End", FCGX_RequestEnd(r, 0));
    print_request_reply(client);
    close(client);
}

static void of_fcgiapp(void)
{
    FCGX_Request request;
    int client;

    printf("-- a request of FCGX_InitRequest\n");
    FCGX_InitRequest(&request, listener, 0);
    show("fresh", FCGX_RequestGone(&request));
    client = connect_here();
    send_head(client, 1, FCGI_RESPONDER, 0);
    FCGX_Accept_r(&request);
    show("it waits", FCGX_RequestGone(&request));
    send_text(client, FCGI_STDIN, 1, "body");
    send_record(client, FCGI_ABORT_REQUEST, 1, "", 0);
    show("it gives up", FCGX_RequestGone(&request));
    FCGX_Finish_r(&request);
    show("finished", FCGX_RequestGone(&request));
    close(client);
}

static void of_descriptor_0(void)
{
    FCGX_Stream *in, *out, *err;
    FCGX_ParamArray envp;
    int client;

    printf("-- NULL, for that of FCGX_Accept\n");
    dup2(listener, 0);
    show("fresh", FCGX_RequestGone(NULL));
    client = connect_here();
    send_head(client, 1, FCGI_RESPONDER, 0);
    printf("accept %d\n", FCGX_Accept(&in, &out, &err, &envp));
    show("it waits", FCGX_RequestGone(NULL));
    close(client);
    show("it has closed", FCGX_RequestGone(NULL));
    FCGX_Finish();
    show("finished", FCGX_RequestGone(NULL));

    printf("-- and for that of FCGI_Accept\n");
    client = connect_here();
    send_head(client, 1, FCGI_RESPONDER, 0);
    printf("accept %d\n", FCGI_Accept());
    show("it waits", FCGX_RequestGone(NULL));
    close(client);
    show("it has closed", FCGX_RequestGone(NULL));
    FCGI_Finish();
    show("finished", FCGX_RequestGone(NULL));
}

int main(void)
{
    struct FCGX_Request *r;

    listener = FCGX_Listen(SOCKET_PATH, 5);
    r = FCGX_RequestNew(listener, 0);
    show("before the first", FCGX_RequestGone(r));
    what_a_server_does(r);
    behind_a_large_body(r);
    next_request_behind(r);
    FCGX_RequestFree(r);
    of_fcgiapp();
    of_descriptor_0();
    return 0;
}
