/*
 * threaded: several threads serve one listen socket.
 *
 * Every thread has its own request and waits in FCGX_Accept_r, which needs no lock. The only thing that the
 * threads share, the number of requests served, has a mutex.
 *
 * Usage: threaded [ADDRESS]        (without ADDRESS the listen socket is descriptor 0)
 */

#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fcgiapp.h"

enum { BACKLOG = 128, THREADS = 8 };

static pthread_mutex_t served_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long served;

struct worker {
    pthread_t thread;
    int number;
    int listen_socket;
};

static unsigned long count_request(void)
{
    pthread_mutex_lock(&served_lock);
    unsigned long count = ++served;
    pthread_mutex_unlock(&served_lock);
    return count;
}

static void block_sigterm(void)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

/* A library may wake only one waiting thread on SIGTERM, so each thread wakes the next. */
static void pass_sigterm_on(void)
{
    block_sigterm();
    kill(getpid(), SIGTERM);
}

static void *serve(void *argument)
{
    const struct worker *worker = argument;
    FCGX_Request request;

    if (FCGX_InitRequest(&request, worker->listen_socket, 0) != 0) {
        fprintf(stderr, "threaded: no request for thread %d\n", worker->number);
        return NULL;
    }
    while (FCGX_Accept_r(&request) == 0) {
        const char *path = FCGX_GetParam("SCRIPT_NAME", request.envp);

        FCGX_FPrintF(request.out,
                     "Content-Type: text/plain\r\n\r\n"
                     "path: %s\nthread: %d of %d\nrequest: %lu\n",
                     path != NULL ? path : "", worker->number, THREADS, count_request());
        /* Sends the end of the response now, rather than at the next call of Accept. */
        FCGX_Finish_r(&request);
    }
    FCGX_Free(&request, 1);
    pass_sigterm_on();
    return NULL;
}

int main(int argc, char **argv)
{
    struct worker workers[THREADS];
    int listen_socket = 0;
    int started = 0;

    if (FCGX_Init() != 0) {
        fprintf(stderr, "threaded: the library does not start\n");
        return 1;
    }
    if (argc > 1) {
        listen_socket = FCGX_OpenSocket(argv[1], BACKLOG);
    } else if (FCGX_IsCGI()) {
        fprintf(stderr, "threaded: descriptor 0 is no listen socket; give an ADDRESS\n");
        return 1;
    }
    if (listen_socket < 0) {
        fprintf(stderr, "threaded: cannot listen\n");
        return 1;
    }

    while (started < THREADS) {
        struct worker *worker = &workers[started];

        worker->number = started + 1;
        worker->listen_socket = listen_socket;
        int error = pthread_create(&worker->thread, NULL, serve, worker);
        if (error != 0) {
            fprintf(stderr, "threaded: thread %d: %s\n", worker->number, strerror(error));
            break; /* The threads that have started go on. */
        }
        started++;
    }
    /* From here on, SIGTERM goes to the threads that wait in FCGX_Accept_r. */
    block_sigterm();

    for (int i = 0; i < started; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    return started > 0 ? 0 : 1;
}
