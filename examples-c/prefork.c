/*
 * prefork: several processes with one thread each serve one listen socket. Each process ends after some
 * requests, and another replaces it; SIGTERM ends all.
 *
 * A process that is to end requests a shutdown (FCGX_ShutdownPending, as SIGTERM does) and then calls
 * FCGX_Accept_r until it fails. The connections of the process may carry a request that no other process
 * can answer: Accept waits for these a moment, and takes no new connections. A process that just exits
 * loses such requests.
 *
 * Usage: prefork [ADDRESS]         (without ADDRESS the listen socket is descriptor 0)
 */

#define _POSIX_C_SOURCE 200809L

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fcgiapp.h"

enum { BACKLOG = 128, PROCESSES = 4, REQUESTS = 100 };

static int serve(int listen_socket, int most)
{
    FCGX_Request request;
    int served = 0;

    if (FCGX_InitRequest(&request, listen_socket, 0) != 0) {
        return 1;
    }
    while (FCGX_Accept_r(&request) == 0) {
        /* Before the request is finished, so that its connection ends with the response. */
        if (++served == most) {
            FCGX_ShutdownPending();
        }
        FCGX_FPrintF(request.out,
                     "Content-Type: text/plain\r\n\r\n"
                     "process: %ld\nrequest: %d\n",
                     (long)getpid(), served);
        FCGX_Finish_r(&request);
    }
    FCGX_Free(&request, 1);
    return 0;
}

/* Starts a process. The number sets how long it lives, so that not all are replaced at the same time. */
static pid_t start(int listen_socket, int number, const sigset_t *signals)
{
    pid_t process = fork();

    if (process == 0) {
        sigprocmask(SIG_UNBLOCK, signals, NULL);
        _exit(serve(listen_socket, REQUESTS + number * REQUESTS / PROCESSES));
    }
    if (process < 0) {
        perror("prefork: fork");
    }
    return process;
}

/* Keeps the processes running until SIGTERM, and then until they have ended. */
static void supervise(int listen_socket, const sigset_t *signals)
{
    pid_t processes[PROCESSES];
    int running = 0;
    int stopping = 0;

    for (int i = 0; i < PROCESSES; i++) {
        processes[i] = start(listen_socket, i, signals);
        running += processes[i] > 0;
    }
    while (running > 0) {
        int number = 0;
        pid_t ended;

        sigwait(signals, &number);
        stopping = stopping || number == SIGTERM;
        for (int i = 0; number == SIGTERM && i < PROCESSES; i++) {
            if (processes[i] > 0) {
                kill(processes[i], SIGTERM);
            }
        }
        while ((ended = waitpid(-1, NULL, WNOHANG)) > 0) {
            for (int i = 0; i < PROCESSES; i++) {
                if (processes[i] == ended) {
                    processes[i] = stopping ? -1 : start(listen_socket, i, signals);
                    running -= processes[i] <= 0;
                }
            }
        }
    }
}

static void on_child(int number)
{
    (void)number;
}

int main(int argc, char **argv)
{
    struct sigaction action;
    sigset_t signals;
    int listen_socket = 0;

    /* Before the processes are started, so that they have the handler for SIGTERM from the beginning. */
    if (FCGX_Init() != 0) {
        fprintf(stderr, "prefork: the library does not start\n");
        return 1;
    }
    if (argc > 1) {
        listen_socket = FCGX_OpenSocket(argv[1], BACKLOG);
    } else if (FCGX_IsCGI()) {
        fprintf(stderr, "prefork: descriptor 0 is no listen socket; give an ADDRESS\n");
        return 1;
    }
    if (listen_socket < 0) {
        fprintf(stderr, "prefork: cannot listen\n");
        return 1;
    }
    /* Without a handler, a blocked SIGCHLD may be discarded instead of staying pending. */
    memset(&action, 0, sizeof action);
    action.sa_handler = on_child;
    sigaction(SIGCHLD, &action, NULL);
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    supervise(listen_socket, &signals);
    return 0;
}
