/* FCGX_RequestCancel: from a signal handler in a process with one thread, before a wait, and from another
 * thread while many wait. */
#include "request.h"

#include <pthread.h>
#include <signal.h>

#define THREADS 12

static struct FCGX_Request *volatile target;

static void on_alarm(int signal)
{
    (void)signal;
    FCGX_RequestCancel(target);
}

static void from_a_handler(struct FCGX_Request *r, int flags, const char *what)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_alarm;
    action.sa_flags = flags;
    sigaction(SIGALRM, &action, NULL);
    target = r;
    ualarm(20 * 1000, 0);
    show(what, FCGX_RequestNext(r, -1));
}

struct waiter {
    pthread_t thread;
    struct FCGX_Request *request;
    int result;
};

static void *wait_for_one(void *argument)
{
    struct waiter *waiter = argument;

    waiter->result = FCGX_RequestNext(waiter->request, -1);
    return NULL;
}

/* Cancels every second thread; the others get a request each. */
static void many_threads(int sock)
{
    struct waiter waiters[THREADS];
    int i, served = 0, cancelled = 0, clients[THREADS];

    for (i = 0; i < THREADS; i++) {
        waiters[i].request = FCGX_RequestNew(sock, 0);
        pthread_create(&waiters[i].thread, NULL, wait_for_one, &waiters[i]);
    }
    usleep(50 * 1000);
    for (i = 0; i < THREADS; i += 2) {
        FCGX_RequestCancel(waiters[i].request);
        pthread_join(waiters[i].thread, NULL);
        cancelled += waiters[i].result == FCGX_CANCELLED;
    }
    for (i = 1; i < THREADS; i += 2)
        clients[i] = request_here("");
    for (i = 1; i < THREADS; i += 2) {
        pthread_join(waiters[i].thread, NULL);
        served += waiters[i].result == 1 && FCGX_RequestEnd(waiters[i].request, 0) == 0;
    }
    printf("cancelled %d, served %d\n", cancelled, served);
    for (i = 0; i < THREADS; i++)
        FCGX_RequestFree(waiters[i].request);
    for (i = 1; i < THREADS; i += 2)
        close(clients[i]);
}

int main(void)
{
    int sock = FCGX_Listen(SOCKET_PATH, 32), client, kept;
    struct FCGX_Request *r = FCGX_RequestNew(sock, 0);

    FCGX_RequestCancel(r);
    FCGX_RequestCancel(r);
    show("before the wait", FCGX_RequestNext(r, -1));
    show("once", FCGX_RequestNext(r, 0));
    from_a_handler(r, 0, "one thread in accept4");
    from_a_handler(r, SA_RESTART, "restarted");
    client = request_here("");
    FCGX_RequestCancel(r);
    show("before a request", FCGX_RequestNext(r, -1));
    show("the request", FCGX_RequestNext(r, -1));
    FCGX_RequestCancel(r);
    show("goes on", FCGX_RequestWrite(r, "whole", 5));
    show("End", FCGX_RequestEnd(r, 0));
    print_reply(client);
    show("then", FCGX_RequestNext(r, -1));

    kept = connect_here();
    send_kept(kept, 1);
    show("kept", FCGX_RequestNext(r, -1));
    FCGX_RequestEnd(r, 0);
    print_request_reply(kept);
    from_a_handler(r, SA_RESTART, "one thread in epoll");
    send_kept(kept, 2);
    show("the next on it", FCGX_RequestNext(r, -1));
    FCGX_RequestEnd(r, 0);
    print_request_reply(kept);
    many_threads(sock);
    many_threads(sock);
    show("no other", FCGX_RequestNext(r, 0));
    FCGX_RequestFree(r);
    return 0;
}
