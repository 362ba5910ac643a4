/* FCGX_RequestCancel while shutting down takes long: in a process with one thread, beside a thread that polls, and
 * in the wait of a thread for its own connection. */
#include "request.h"

#include <pthread.h>

static void *cancel_later(void *request)
{
    usleep(50 * 1000);
    FCGX_RequestCancel(request);
    return NULL;
}

static void wait_and_cancel(struct FCGX_Request *r, int timeout, const char *what)
{
    pthread_t thread;
    long begin = milliseconds(), took;

    pthread_create(&thread, NULL, cancel_later, r);
    show(what, FCGX_RequestNext(r, timeout));
    took = milliseconds() - begin;
    pthread_join(thread, NULL);
    printf("%s\n", took < 50 ? "too early" : took > 2000 ? "too late" : "in time");
}

int main(void)
{
    int sock, client, other;
    struct FCGX_Request *r;

    setenv("LIBFCGI_DRAIN", "30000", 1);
    sock = FCGX_Listen(SOCKET_PATH, 32);
    r = FCGX_RequestNew(sock, 0);
    client = connect_here();
    send_kept(client, 1);
    show("Next", FCGX_RequestNext(r, -1));
    show("End", FCGX_RequestEnd(r, 0));
    print_request_reply(client);
    FCGX_ShutdownPending();
    wait_and_cancel(r, -1, "without a limit");
    wait_and_cancel(r, 10 * 1000, "with a limit");
    FCGX_PollDescriptor(sock);
    wait_and_cancel(r, -1, "polled, without a limit");
    wait_and_cancel(r, 10 * 1000, "polled, with a limit");
    other = connect_here();
    send_kept(client, 2);
    show("the request", FCGX_RequestNext(r, -1));
    show("End", FCGX_RequestEnd(r, 0));
    print_reply(client);
    close(other);
    FCGX_RequestFree(r);
    return 0;
}
