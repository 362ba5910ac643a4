/* FCGX_RequestNext with time limits: what is ready, what comes in time, and what does not, whether the
 * program has made the listen socket non-blocking or not. */
#include "request.h"

#include <pthread.h>

static void *connect_later(void *client)
{
    usleep(30 * 1000);
    *(int *)client = request_here("");
    return NULL;
}

static void wait_for(struct FCGX_Request *r, int timeout, const char *what)
{
    long begin = milliseconds(), took;
    int result = FCGX_RequestNext(r, timeout);

    took = milliseconds() - begin;
    printf("%s: %s%s\n", what, result_text(result),
           result == 0 && took < timeout ? ", too early" : took > timeout + 2000 ? ", too late" : "");
}

static void all_kinds(struct FCGX_Request *r)
{
    pthread_t thread;
    int client, kept, silent, part;

    wait_for(r, 0, "nothing");
    wait_for(r, 50, "nothing for 50 ms");
    silent = connect_here();
    wait_for(r, 0, "a silent connection");
    part = connect_here();
    send_begin(part, 1, FCGI_RESPONDER, 0);
    wait_for(r, 0, "part of a head");
    wait_for(r, 20, "for 20 ms");
    client = request_here("");
    wait_for(r, 0, "a request behind them");
    show("End", FCGX_RequestEnd(r, 0));
    print_reply(client);
    send_pair(part, 1, "A", "B");
    send_end(part, FCGI_PARAMS, 1);
    send_no_more(part);
    wait_for(r, 0, "the whole head");
    show("End", FCGX_RequestEnd(r, 0));
    print_reply(part);
    close(silent);
    wait_for(r, 0, "the silent connection is closed");

    kept = connect_here();
    send_kept(kept, 1);
    wait_for(r, 0, "a kept connection");
    show("End", FCGX_RequestEnd(r, 0));
    print_request_reply(kept);
    wait_for(r, 0, "idle");
    send_kept(kept, 2);
    send_kept(kept, 3);
    wait_for(r, 0, "two requests at once");
    show("End", FCGX_RequestEnd(r, 0));
    print_request_reply(kept);
    wait_for(r, 0, "the second");
    show("End", FCGX_RequestEnd(r, 0));
    print_request_reply(kept);
    close(kept);
    wait_for(r, 0, "closed");

    pthread_create(&thread, NULL, connect_later, &client);
    wait_for(r, PATIENCE_MS, "from another thread");
    pthread_join(thread, NULL);
    show("End", FCGX_RequestEnd(r, 0));
    print_reply(client);
}

static void *stay(void *waits)
{
    char byte;

    return read(*(int *)waits, &byte, 1) == 0 ? NULL : waits;
}

/* In a process with several threads, one call finds the next request of a client that is as quick as if a thread
 * were going to wait for its connection alone. */
static void of_a_quick_client(int sock)
{
    struct FCGX_Request *first = FCGX_RequestNew(sock, 0), *second = FCGX_RequestNew(sock, 0);
    int ends[2], kept = connect_here(), i;
    struct reply reply = { NULL, 0, 0 };
    pthread_t thread;

    if (pipe(ends) != 0 || pthread_create(&thread, NULL, stay, &ends[0]) != 0)
        die("a thread");
    for (i = 1; i <= 20; i++) {
        send_kept(kept, i);
        if (FCGX_RequestNext(first, PATIENCE_MS) != 1 || FCGX_RequestEnd(first, 0) != 0)
            die("not served");
        reply_read_request(kept, &reply);
        free(reply.bytes);
        memset(&reply, 0, sizeof reply);
    }
    send_kept(kept, i);
    wait_for(second, 0, "of a quick client");
    show("End", FCGX_RequestEnd(second, 0));
    print_request_reply(kept);
    close(kept);
    wait_for(second, 0, "closed");
    close(ends[1]);
    pthread_join(thread, NULL);
    close(ends[0]);
    FCGX_RequestFree(first);
    FCGX_RequestFree(second);
}

int main(void)
{
    struct FCGX_Request *r;
    int sock = FCGX_Listen(SOCKET_PATH, 16);

    r = FCGX_RequestNew(sock, 0);
    all_kinds(r);
    of_a_quick_client(sock);
    printf("non-blocking:\n");
    fcntl(sock, F_SETFL, fcntl(sock, F_GETFL) | O_NONBLOCK);
    all_kinds(r);
    FCGX_RequestFree(r);

    printf("non-blocking before the first call:\n");
    sock = FCGX_Listen(SOCKET_PATH, 16);
    fcntl(sock, F_SETFL, fcntl(sock, F_GETFL) | O_NONBLOCK);
    r = FCGX_RequestNew(sock, 0);
    all_kinds(r);
    FCGX_RequestFree(r);
    return 0;
}
