/* FCGX_RequestAbort, while another thread waits in FCGX_RequestRead for a silent peer, or in
 * FCGX_RequestWrite, FCGX_RequestFlush or FCGX_RequestEnd for one that does not read. */
#include "request.h"

#include <semaphore.h>

/* Fits into the library's buffer, so that a flush sends it as a whole. */
static char piece[4096];

struct worker {
    struct FCGX_Request *request;
    sem_t runs;
    volatile int number, pieces;
    int most;
    ptrdiff_t result;
};

static void *read_body(void *argument)
{
    struct worker *w = argument;
    char byte;

    w->number = thread_number();
    sem_post(&w->runs);
    w->result = FCGX_RequestRead(w->request, &byte, 1);
    return NULL;
}

/* Writes and flushes pieces until it fails. */
static void *write_and_flush(void *argument)
{
    struct worker *w = argument;

    w->number = thread_number();
    sem_post(&w->runs);
    do {
        w->result = FCGX_RequestWrite(w->request, piece, sizeof piece);
        if (w->result > 0)
            w->result = FCGX_RequestFlush(w->request);
        w->pieces++;
    } while (w->result == 0);
    return NULL;
}

static void *write_without_end(void *argument)
{
    struct worker *w = argument;

    w->number = thread_number();
    sem_post(&w->runs);
    while ((w->result = FCGX_RequestWrite(w->request, piece, sizeof piece)) > 0)
        ;
    return NULL;
}

/* Fills the connection with as many pieces as it has room for, and ends the request with another one. */
static void *write_and_end(void *argument)
{
    struct worker *w = argument;
    int i;

    for (i = 0; i < w->most; i++) {
        FCGX_RequestWrite(w->request, piece, sizeof piece);
        FCGX_RequestFlush(w->request);
    }
    FCGX_RequestWrite(w->request, piece, sizeof piece);
    w->number = thread_number();
    sem_post(&w->runs);
    w->result = FCGX_RequestEnd(w->request, 0);
    return NULL;
}

static void print_is_whole(int client)
{
    struct reply reply = { NULL, 0, 0 };
    int is_whole = reply_read_request(client, &reply);

    printf("the response is %s, %s\n", is_whole ? "whole" : "not whole",
           reply.closed ? "closed" : "open");
    free(reply.bytes);
    close(client);
}

/* Aborts the request while a thread waits. Returns how many pieces it had sent. */
static int abort_in(struct FCGX_Request *r, void *(*wait)(void *), const char *what, int most)
{
    struct worker w = { .request = r, .most = most };
    pthread_t thread;
    char byte;
    int client = connect_here();
    long begin;

    printf("-- in %s\n", what);
    sem_init(&w.runs, 0, 0);
    send_head(client, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
    show("Next", FCGX_RequestNext(r, -1));
    pthread_create(&thread, NULL, wait, &w);
    sem_wait(&w.runs);
    await_sleep(getpid(), w.number);
    begin = milliseconds();
    show("Abort", FCGX_RequestAbort(r));
    pthread_join(thread, NULL);
    printf("%s: %s%s\n", what, result_text(w.result),
           milliseconds() - begin < PATIENCE_MS / 4 ? "" : ", late");
    if (wait != write_and_end) {
        show("Read", FCGX_RequestRead(r, &byte, 1));
        show("Write", FCGX_RequestWrite(r, "x", 1));
        show("Log", FCGX_RequestLog(r, "x", 1));
        show("Flush", FCGX_RequestFlush(r));
        show("Abort", FCGX_RequestAbort(r));
        show("Gone", FCGX_RequestGone(r));
        show("End", FCGX_RequestEnd(r, 0));
    }
    show("after the end", FCGX_RequestAbort(r));
    show("End", FCGX_RequestEnd(r, 0));
    print_is_whole(client);
    return w.pieces;
}

int main(void)
{
    struct FCGX_Request *r = FCGX_RequestNew(FCGX_Listen(SOCKET_PATH, 5), 0);
    int client, pieces;

    abort_in(r, read_body, "Read", 0);
    abort_in(r, write_without_end, "Write", 0);
    pieces = abort_in(r, write_and_flush, "Flush", 0);
    abort_in(r, write_and_end, "End", pieces - 1);

    printf("-- and not ended\n");
    client = connect_here();
    send_kept(client, 1);
    show("Next", FCGX_RequestNext(r, -1));
    FCGX_RequestWrite(r, "lost", 4);
    show("Abort", FCGX_RequestAbort(r));
    show("Next", FCGX_RequestNext(r, 0));
    print_reply(client);
    client = request_here("");
    show("Next", FCGX_RequestNext(r, -1));
    show("Abort", FCGX_RequestAbort(r));
    FCGX_RequestFree(r);
    print_reply(client);

    r = FCGX_RequestNew(FCGX_Listen(SOCKET_PATH, 5), 0);
    client = request_here("");
    show("another", FCGX_RequestNext(r, -1));
    show("Write", FCGX_RequestWrite(r, "whole", 5));
    show("End", FCGX_RequestEnd(r, 0));
    print_reply(client);
    FCGX_RequestFree(r);
    return 0;
}
