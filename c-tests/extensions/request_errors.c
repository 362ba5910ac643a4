/* FCGX_RequestRead fails: what each kind of broken body returns, once and again, and that a response still
 * goes where somebody reads it. */
#include "request.h"

#include <netinet/in.h>

static void read_all_of_it(struct FCGX_Request *r)
{
    char body[64];
    ptrdiff_t n;

    while ((n = FCGX_RequestRead(r, body, sizeof body)) > 0)
        printf("%d bytes: \"%.*s\"\n", (int)n, (int)n, body);
    show("Read", n);
    show("again", FCGX_RequestRead(r, body, sizeof body));
    show("of nothing", FCGX_RequestRead(r, body, 0));
}

/* Sends a head, the text "whole", and `tail`. The client then sends nothing more. */
static void broken(struct FCGX_Request *r, const char *what, const void *tail, size_t length)
{
    int client = connect_here();

    printf("-- %s\n", what);
    send_head(client, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
    send_text(client, FCGI_STDIN, 1, "whole");
    send_bytes(client, tail, length);
    send_no_more(client);
    show("Next", FCGX_RequestNext(r, -1));
    read_all_of_it(r);
    show("Write", FCGX_RequestWrite(r, "response", 8));
    show("End", FCGX_RequestEnd(r, 0));
    print_request_reply(client);
    close(client);
}

static void closed(struct FCGX_Request *r)
{
    static char large[100000];
    int client = connect_here();

    printf("-- closed\n");
    send_head(client, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
    send_text(client, FCGI_STDIN, 1, "whole");
    close(client);
    show("Next", FCGX_RequestNext(r, -1));
    read_all_of_it(r);
    show("Write, buffered", FCGX_RequestWrite(r, "x", 1));
    show("Flush", FCGX_RequestFlush(r));
    show("Write", FCGX_RequestWrite(r, "x", 1));
    show("Log, buffered", FCGX_RequestLog(r, "x", 1));
    show("large", FCGX_RequestLog(r, large, sizeof large));
    show("End", FCGX_RequestEnd(r, 0));
    show("twice", FCGX_RequestEnd(r, 0));
}

/* A reset of the connection while the library waits for the body. */
static void reset(void)
{
    struct sockaddr_in address;
    struct linger at_once = { 1, 0 };
    socklen_t length = sizeof address;
    int sock = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    struct FCGX_Request *r = FCGX_RequestNew(sock, 0);

    printf("-- reset\n");
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(sock, (struct sockaddr *)&address, length) != 0 || listen(sock, 5) != 0
        || getsockname(sock, (struct sockaddr *)&address, &length) != 0
        || connect(client, (struct sockaddr *)&address, length) != 0)
        die("connect");
    send_head(client, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
    show("Next", FCGX_RequestNext(r, -1));
    setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(client);
    read_all_of_it(r);
    show("Gone", FCGX_RequestGone(r));
    show("End", FCGX_RequestEnd(r, 0));
    FCGX_RequestFree(r);
}

int main(void)
{
    struct FCGX_Request *r = FCGX_RequestNew(FCGX_Listen(SOCKET_PATH, 5), 0);
    int client;

    broken(r, "half-closed in the content", "\1\5\0\1\0\12\0\0part", 12);
    broken(r, "half-closed in a header", "\1\5\0\1", 4);
    broken(r, "half-closed without the end of the body", "", 0);
    broken(r, "another version", "\2\5\0\1\0\4\0\0text", 12);
    broken(r, "given up", "\1\2\0\1\0\0\0\0", 8);
    broken(r, "given up, of another request", "\1\2\0\7\0\0\0\0\1\5\0\1\0\0\0\0", 16);
    closed(r);
    reset();

    client = request_here("the next is served");
    show("Next", FCGX_RequestNext(r, -1));
    read_all_of_it(r);
    show("End", FCGX_RequestEnd(r, 0));
    print_reply(client);
    FCGX_RequestFree(r);
    return 0;
}
