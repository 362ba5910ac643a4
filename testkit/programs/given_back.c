/*
 * Threads whose requests return their connections to the library. The listen socket is
 * descriptor 0. Usage: given_back [OPTIONS]
 *
 *   -t N   serve with N threads; without it the first thread serves alone
 *   -n     use a new structure for each request, and free it after FCGX_Finish_r
 *   -e     another thread finishes each request and then ends
 *   -c     on SIGUSR2 the first of the threads is cancelled while it is in poll(2)
 *   -j     a thread that gets SIGUSR2 in poll(2) leaves by siglongjmp and ends
 *   -i     use FCGI_FAIL_ACCEPT_ON_INTR; a thread whose Accept fails tries again
 *
 * The answer to a request is the number of its thread. Parameters that change this:
 *   COUNT     answer with the numbers of open descriptors and bytes in use instead
 *   SLEEP=n   take n milliseconds first
 *   AFTER=n   take n milliseconds after FCGX_Finish_r
 *   THEN=x    afterwards, do one of the `deeds` below
 *   FD        answer with the connection's descriptor instead
 *   SHUT=n    first, close descriptor n
 *   REPLACE=n first, open /dev/zero as descriptor n
 */
#define _GNU_SOURCE
#include "in_use.h"

#include <fcgiapp.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST 16

static int threads, anew, elsewhere, cancels, jumps, flags;
static pthread_t ids[MOST];

static void take(int milliseconds)
{
    struct timespec left = { milliseconds / 1000, milliseconds % 1000 * 1000000L };

    while (milliseconds > 0 && nanosleep(&left, &left) != 0)
        ;
}

static int number(FCGX_Request *request, const char *name)
{
    const char *value = FCGX_GetParam(name, request->envp);

    return value == NULL ? 0 : atoi(value);
}

/* ---- what a program does with the structure of a finished request ---- */

static void shut(FCGX_Request *request)
{
    close(request->ipcFd);
    request->ipcFd = -1;
}

static void shut_behind(FCGX_Request *request)
{
    close(request->ipcFd);
}

static void put_another_at(int fd)
{
    int other = open("/dev/zero", O_RDONLY);

    dup2(other, fd);
    close(other);
}

static void replace(FCGX_Request *request)
{
    put_another_at(request->ipcFd);
}

static void free_closing(FCGX_Request *request)
{
    FCGX_Free(request, 1);
}

static void free_leaving(FCGX_Request *request)
{
    FCGX_Free(request, 0);
    shut(request);
}

static void do_not_keep(FCGX_Request *request)
{
    request->keepConnection = 0;
    FCGX_Finish_r(request);
}

static void finish_again(FCGX_Request *request)
{
    FCGX_Finish_r(request);
    FCGX_Finish_r(request);
}

/* Frees the structure in a child, which must not touch the parent's connection. */
static void fork_and_free(FCGX_Request *request)
{
    pid_t child = fork();

    if (child == 0) {
        FCGX_Free(request, 1);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

/* Whether poll_it saw the next request come; the answer to that request reports it. */
static atomic_int seen;

static void poll_it(FCGX_Request *request)
{
    struct pollfd one = { request->ipcFd, POLLIN, 0 };

    seen = poll(&one, 1, 10000) == 1 && one.revents == POLLIN;
}

static const struct deed {
    const char *name;
    void (*function)(FCGX_Request *);
} deeds[] = {
    { "shut", shut },
    { "shut_behind", shut_behind },
    { "replace", replace },
    { "free_closing", free_closing },
    { "free_leaving", free_leaving },
    { "do_not_keep", do_not_keep },
    { "finish_again", finish_again },
    { "fork_and_free", fork_and_free },
    { "poll_it", poll_it },
};

static void (*deed(FCGX_Request *request))(FCGX_Request *)
{
    const char *name = FCGX_GetParam("THEN", request->envp);
    size_t i;

    for (i = 0; name != NULL && i < sizeof deeds / sizeof deeds[0]; i++)
        if (strcmp(deeds[i].name, name) == 0)
            return deeds[i].function;
    return NULL;
}

/* ---- serving ---- */

static void *finish(void *request)
{
    FCGX_Finish_r(request);
    return NULL;
}

static void finish_elsewhere(FCGX_Request *request)
{
    pthread_t other;

    if (pthread_create(&other, NULL, finish, request) != 0)
        abort();
    pthread_join(other, NULL);
}

static void serve_one(FCGX_Request *request, int thread)
{
    void (*then)(FCGX_Request *) = deed(request);
    int after = number(request, "AFTER");

    take(number(request, "SLEEP"));
    if (number(request, "SHUT") > 0)
        close(number(request, "SHUT"));
    if (number(request, "REPLACE") > 0)
        put_another_at(number(request, "REPLACE"));
    if (FCGX_GetParam("FD", request->envp) != NULL)
        FCGX_FPrintF(request->out, "%d", request->ipcFd);
    else if (FCGX_GetParam("COUNT", request->envp) != NULL)
        FCGX_FPrintF(request->out, "%d %d", descriptors(), (int)bytes_in_use());
    else
        FCGX_FPrintF(request->out, seen ? "seen" : "%d", thread);
    seen = 0;
    if (elsewhere)
        finish_elsewhere(request);
    else
        FCGX_Finish_r(request);
    if (then != NULL)
        then(request);
    take(after);
}

static __thread sigjmp_buf out_of_accept;
static __thread volatile sig_atomic_t polls;

/* Replaces the C library's poll: a thread can be cancelled, and sets `polls`, only in here. */
int poll(struct pollfd *fds, nfds_t count, int milliseconds)
{
    struct timespec limit = { milliseconds / 1000, milliseconds % 1000 * 1000000L };
    int result;

    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    polls = 1;
    result = ppoll(fds, count, milliseconds < 0 ? NULL : &limit, NULL);
    polls = 0;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    return result;
}

static void jump(int unused)
{
    (void)unused;
    if (polls)
        siglongjmp(out_of_accept, 1);
}

static void nothing(int unused)
{
    (void)unused;
}

static int accept_one(FCGX_Request *request)
{
    int result;

    if (sigsetjmp(out_of_accept, 0) != 0)
        return 1;
    do
        result = FCGX_Accept_r(request);
    while (flags != 0 && result == -EINTR);
    return result;
}

static void *serve(void *thread)
{
    FCGX_Request *request = NULL;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    for (;;) {
        if (request == NULL) {
            request = malloc(sizeof *request);
            FCGX_InitRequest(request, 0, flags);
        }
        if (accept_one(request) != 0)
            break;
        serve_one(request, (int)(long)thread);
        if (anew) {
            memset(request, 0x55, sizeof *request);
            free(request);
            request = NULL;
        }
    }
    return NULL;
}

static void cancel_when_asked(void)
{
    sigset_t set;
    int got;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigwait(&set, &got);
    pthread_cancel(ids[0]);
}

static void serve_with_threads(void)
{
    sigset_t set;
    long i;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    if (cancels)
        pthread_sigmask(SIG_BLOCK, &set, NULL);
    for (i = 0; i < threads; i++)
        pthread_create(&ids[i], NULL, serve, (void *)i);
    if (cancels)
        cancel_when_asked();
    for (i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
}

int main(int argc, char **argv)
{
    struct sigaction action;
    int option;

    while ((option = getopt(argc, argv, "t:necji")) != -1)
        if (option == 't')
            threads = atoi(optarg);
        else if (option == 'n')
            anew = 1;
        else if (option == 'e')
            elsewhere = 1;
        else if (option == 'c')
            cancels = 1;
        else if (option == 'j')
            jumps = 1;
        else if (option == 'i')
            flags = FCGI_FAIL_ACCEPT_ON_INTR;
        else
            return 2;
    if (threads > MOST)
        return 2;
    FCGX_Init();
    memset(&action, 0, sizeof action);
    action.sa_handler = jumps ? jump : nothing;
    sigaction(SIGUSR2, &action, NULL);
    if (threads == 0)
        serve(0);
    else
        serve_with_threads();
    return 0;
}
