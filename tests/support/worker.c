/*
 * A FastCGI program with threads and processes. Usage: worker [OPTIONS]
 *
 *   -o PATH   make the listen socket; without it, it is descriptor 0
 *   -n        the program makes its listen socket non-blocking
 *   -t N      serve with N threads, in addition to the first one, which waits for them
 *   -p N      serve with N child processes; the first process waits for them
 *   -a        a signal every millisecond
 *   -s        SIGUSR2's handler calls FCGX_ShutdownPending, with SA_RESTART
 *   -i        FCGI_FAIL_ACCEPT_ON_INTR, and a handler for SIGUSR2 that does nothing
 *   -f N      at most N open descriptors
 *
 * A request is answered with its body. Parameters that change what a request does:
 *   WHO       answer with the process's number instead
 *   SLEEP=n   take n milliseconds first
 *   READ=n    read n bytes of the body only
 *   SIZE=n    answer with n bytes 'x' instead
 *   KEEP=n    the program's own word about keepConnection
 *   FORK      make a child that goes on serving; the answer is the child's number
 * When Accept fails, its result is printed, a line for each thread, and the thread ends.
 */
#include <fcgiapp.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST 64

static int listen_socket, flags, storm;

static int number(FCGX_Request *request, const char *name, int otherwise)
{
    const char *value = FCGX_GetParam(name, request->envp);

    return value == NULL ? otherwise : atoi(value);
}

static void take(int milliseconds)
{
    struct timespec left = { milliseconds / 1000, milliseconds % 1000 * 1000000L };

    while (milliseconds > 0 && nanosleep(&left, &left) != 0)
        ;
}

static void copy_body(FCGX_Request *request)
{
    int limit = number(request, "READ", 1 << 30);
    char buffer[3000];
    int got = 1;

    while (limit > 0 && got > 0) {
        got = FCGX_GetStr(buffer, limit < 3000 ? limit : 3000, request->in);
        FCGX_PutStr(buffer, got, request->out);
        limit -= got;
    }
}

static char piece[50000]; /* of 'x', from main */

static void write_size(FCGX_Request *request, int size)
{
    while (size > 0) {
        int n = size < 50000 ? size : 50000;

        FCGX_PutStr(piece, n, request->out);
        size -= n;
    }
}

static void answer(FCGX_Request *request)
{
    int size = number(request, "SIZE", -1);

    request->keepConnection = number(request, "KEEP", request->keepConnection);

    take(number(request, "SLEEP", 0));
    if (FCGX_GetParam("WHO", request->envp) != NULL)
        FCGX_FPrintF(request->out, "%d", (int)getpid());
    else if (size >= 0)
        write_size(request, size);
    else
        copy_body(request);
}

/* The child goes on as the program; the parent's request is not its own. */
static void make_child(FCGX_Request *request)
{
    pid_t child = fork();

    if (child > 0)
        FCGX_FPrintF(request->out, "%d", (int)child);
    else
        FCGX_Free(request, 0), request->ipcFd = -1;
}

static void *serve(void *unused)
{
    FCGX_Request request;
    int result;

    FCGX_InitRequest(&request, listen_socket, flags);
    while ((result = FCGX_Accept_r(&request)) == 0) {
        if (FCGX_GetParam("FORK", request.envp) != NULL)
            make_child(&request);
        else
            answer(&request);
        FCGX_Finish_r(&request);
    }
    FCGX_Free(&request, 1);
    printf("%d\n", result);
    fflush(stdout);
    return unused;
}

static void serve_with_threads(int threads)
{
    pthread_t ids[MOST];
    int i;

    if (threads == 0)
        serve(NULL);
    for (i = 0; i < threads; i++)
        pthread_create(&ids[i], NULL, serve, NULL);
    for (i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
}

static void serve_with_processes(int processes, int threads)
{
    int i;

    for (i = 0; i < processes; i++)
        if (fork() == 0) {
            serve_with_threads(threads);
            return;
        }
    for (i = 0; i < processes; i++)
        while (wait(NULL) < 0 && errno == EINTR)
            ;
}

static void on_signal(int unused)
{
    (void)unused;
}

static void on_signal_shut_down(int unused)
{
    (void)unused;
    FCGX_ShutdownPending();
}

static void handle(int signal_number, void (*handler)(int), int handler_flags)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = handler_flags;
    sigaction(signal_number, &action, NULL);
}

int main(int argc, char **argv)
{
    struct itimerval every = { { 0, 1000 }, { 0, 1000 } };
    struct rlimit files;
    int option, threads = 0, processes = 0, nonblocking = 0;

    memset(piece, 'x', sizeof piece);
    while ((option = getopt(argc, argv, "o:nt:p:asif:")) != -1) {
        if (option == 'o')
            listen_socket = FCGX_OpenSocket(optarg, 64);
        else if (option == 'n')
            nonblocking = 1;
        else if (option == 't')
            threads = atoi(optarg);
        else if (option == 'p')
            processes = atoi(optarg);
        else if (option == 'a')
            storm = 1;
        else if (option == 's')
            handle(SIGUSR2, on_signal_shut_down, SA_RESTART);
        else if (option == 'i')
            flags = FCGI_FAIL_ACCEPT_ON_INTR, handle(SIGUSR2, on_signal, 0);
        else if (option == 'f')
            files.rlim_cur = files.rlim_max = (rlim_t)atoi(optarg), setrlimit(RLIMIT_NOFILE, &files);
        else
            return 2;
    }
    if (listen_socket < 0 || threads > MOST || FCGX_Init() != 0)
        return 2;
    if (nonblocking)
        fcntl(listen_socket, F_SETFL, fcntl(listen_socket, F_GETFL) | O_NONBLOCK);
    if (storm) {
        handle(SIGALRM, on_signal, 0);
        setitimer(ITIMER_REAL, &every, NULL);
    }
    if (processes > 0)
        serve_with_processes(processes, threads);
    else
        serve_with_threads(threads);
    return 0;
}
