/* FCGX_RequestSetNonblocking: one thread serves a slow sender, a peer that does not read, and others. */
#include "request.h"

#define PIECE 60000

static struct FCGX_Request *non_blocking(int sock)
{
    struct FCGX_Request *r = FCGX_RequestNew(sock, 0);

    show("SetNonblocking", FCGX_RequestSetNonblocking(r, 1));
    return r;
}

/* Waits until the connection is ready for a request. */
static void ready(struct FCGX_Request *r, short events)
{
    struct pollfd fd = { FCGX_RequestInfo(r, FCGX_INFO_DESCRIPTOR), events, 0 };

    if (poll(&fd, 1, PATIENCE_MS) != 1)
        printf("  not ready\n");
}

static void slow_sender(struct FCGX_Request *r)
{
    char body[16];
    int client = connect_here();

    send_head(client, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
    show("Next", FCGX_RequestNext(r, PATIENCE_MS));
    show("nothing yet", FCGX_RequestRead(r, body, sizeof body));
    send_text(client, FCGI_STDIN, 1, "first");
    ready(r, POLLIN);
    show("five bytes", FCGX_RequestRead(r, body, sizeof body));
    show("nothing more", FCGX_RequestRead(r, body, sizeof body));
    show("again", FCGX_RequestRead(r, body, sizeof body));
    send_text(client, FCGI_STDIN, 1, "second");
    ready(r, POLLIN);
    show("four bytes", FCGX_RequestRead(r, body, 4));
    show("two bytes", FCGX_RequestRead(r, body, 4));
    send_end(client, FCGI_STDIN, 1);
    ready(r, POLLIN);
    show("the end", FCGX_RequestRead(r, body, sizeof body));
    show("Write", FCGX_RequestWrite(r, "answer", 6));
    show("Log", FCGX_RequestLog(r, "log", 3));
    show("Flush", FCGX_RequestFlush(r));
    show("unsent", FCGX_RequestInfo(r, FCGX_INFO_UNSENT));
    show("End", FCGX_RequestEnd(r, 5));
    print_request_reply(client);
    close(client);
}

/* Writes until the library takes no more. Returns how much it took. */
static long fill(struct FCGX_Request *r, const char *bytes)
{
    long all = 0, n;

    while ((n = FCGX_RequestWrite(r, bytes, PIECE)) > 0)
        all += n;
    show("then", n);
    return all;
}

/* Reads `count` bytes of content, as far as they are there; counts those that are not 'x'. */
static void read_content(int client, struct reply *reply)
{
    while (reply_read(client, reply, 0))
        ;
}

static void print_content_length(struct reply *reply, long expected)
{
    size_t at = 0, length, content = 0, wrong = 0, i;

    while ((length = record_at(reply, at)) > 0) {
        const unsigned char *header = reply->bytes + at;

        if (header[1] == FCGI_STDOUT) {
            size_t n = (size_t)(header[4] << 8 | header[5]);

            for (i = 0; i < n; i++)
                wrong += header[FCGI_HEADER_LEN + i] != 'x';
            content += n;
        } else if (header[1] == FCGI_END_REQUEST) {
            printf("  END_REQUEST: ");
            print_end_request(header + FCGI_HEADER_LEN);
            printf("\n");
        }
        at += length;
    }
    printf("  all content came %d, wrong bytes %lu\n", (long)content == expected, (unsigned long)wrong);
    free(reply->bytes);
}

static void silent_reader(struct FCGX_Request *r, struct FCGX_Request *other, int flags)
{
    struct reply reply = { NULL, 0, 0 };
    static char bytes[PIECE];
    int client = connect_here(), quick;
    long all, unsent, result;

    memset(bytes, 'x', sizeof bytes);
    send_head(client, 1, FCGI_RESPONDER, flags);
    send_end(client, FCGI_STDIN, 1);
    show("Next", FCGX_RequestNext(r, PATIENCE_MS));
    all = fill(r, bytes);
    unsent = FCGX_RequestInfo(r, FCGX_INFO_UNSENT);
    printf("about 64 KB wait: %d\n", unsent >= 65536 && unsent < 65536 + 3 * 8192);
    show("Log", FCGX_RequestLog(r, "x", 1));
    show("Flush", FCGX_RequestFlush(r));

    quick = request_here("");
    show("another", FCGX_RequestNext(other, PATIENCE_MS));
    show("End", FCGX_RequestEnd(other, 0));
    print_reply(quick);

    read_content(client, &reply);
    ready(r, POLLOUT);
    result = FCGX_RequestWrite(r, bytes, PIECE);
    printf("room again: %d\n", result > 0);
    all += result + fill(r, bytes);
    show("End", FCGX_RequestEnd(r, 3));
    show("Write", FCGX_RequestWrite(r, "y", 1));
    do {
        read_content(client, &reply);
        result = FCGX_RequestEnd(r, 99);
    } while (result == -EAGAIN);
    show("End", result);
    while (!(flags & FCGI_KEEP_CONN) && reply_read(client, &reply, PATIENCE_MS))
        ;
    read_content(client, &reply);
    printf("closed %d\n", reply.closed);
    print_content_length(&reply, all);
    close(client);
}

/* The peer closes the connection while a part of the response waits. */
static void reader_leaves(struct FCGX_Request *r)
{
    static char bytes[PIECE];
    int client = connect_here();

    send_head(client, 1, FCGI_RESPONDER, 0);
    show("Next", FCGX_RequestNext(r, PATIENCE_MS));
    fill(r, bytes);
    close(client);
    ready(r, POLLOUT);
    show("Write", FCGX_RequestWrite(r, bytes, PIECE));
    show("again", FCGX_RequestWrite(r, bytes, PIECE));
    show("Flush", FCGX_RequestFlush(r));
    show("End", FCGX_RequestEnd(r, 0));
}

/* The peer goes on sending: the library must not wait for it. */
static void unread_body(struct FCGX_Request *r)
{
    struct reply reply = { NULL, 0, 0 };
    int client = connect_here();
    long begin;

    send_head(client, 1, FCGI_RESPONDER, 0);
    send_text(client, FCGI_STDIN, 1, "unread");
    show("Next", FCGX_RequestNext(r, PATIENCE_MS));
    begin = milliseconds();
    show("End", FCGX_RequestEnd(r, 0));
    printf("without waiting %d\n", milliseconds() - begin < 1000);
    send_text(client, FCGI_STDIN, 1, "more");
    reply_read_request(client, &reply);
    printf("the answer came %d\n", reply.length > 0);
    show("Next", FCGX_RequestNext(r, 0));
    free(reply.bytes);
    close(client);
}

int main(void)
{
    int sock = FCGX_Listen(SOCKET_PATH, 16);
    struct FCGX_Request *r = non_blocking(sock), *other = non_blocking(sock);

    show("NULL", FCGX_RequestSetNonblocking(NULL, 1));
    show("2", FCGX_RequestSetNonblocking(r, 2));
    slow_sender(r);
    printf("a peer that does not read:\n");
    silent_reader(r, other, FCGI_KEEP_CONN);
    printf("the same, its connection is closed:\n");
    silent_reader(r, other, 0);
    printf("a peer that leaves:\n");
    reader_leaves(r);
    printf("a body that is not read:\n");
    unread_body(r);
    printf("blocking again:\n");
    show("SetNonblocking", FCGX_RequestSetNonblocking(r, 0));
    FCGX_RequestFree(r);
    FCGX_RequestFree(other);
    return 0;
}
