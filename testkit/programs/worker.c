/*
 * A FastCGI program with threads and processes. Usage: worker [OPTIONS]
 *
 *   -o PATH   make the listen socket; without it, it is descriptor 0
 *   -n        the program makes its listen socket non-blocking
 *   -t N      serve with N threads, in addition to the first one, which waits for them
 *   -p N      serve with N child processes; the first process waits for them
 *   -e N      each child process ends after N requests, and the first process makes another
 *   -A        wait in OS_Accept; send the first bytes of a connection back and close it
 *   -a        send a signal every millisecond
 *   -s        SIGUSR2's handler calls FCGX_ShutdownPending, with SA_RESTART
 *   -x        SIGTERM's handler calls it too and then closes the listen socket
 *   -y        as -x; the handler then opens /dev/zero, which gets the listen socket's number
 *   -d        SIGUSR2's handler closes all descriptors from 3 on, with SA_RESTART; then it makes
 *             the directory "done"
 *   -D        as -d, but puts the program's own file at each of these numbers
 *   -O        make the program's own file, "own", and its own epoll instance
 *   -k        SIGUSR2's handler makes a child, with SA_RESTART; both go on
 *   -i        use FCGI_FAIL_ACCEPT_ON_INTR, and a handler for SIGUSR2 that does nothing
 *   -r        use FCGI_FAIL_ACCEPT_ON_INTR, and a handler for SIGCHLD, with SA_RESTART
 *   -w N      set SO_RCVTIMEO of N milliseconds on the listen socket
 *   -f N      have at most N open descriptors
 *   -c        close the listen socket on exec
 *   -l        when Accept has failed, linger until a signal ends the program
 *   -m        a fork waits until a request with the parameter MEANWHILE has been accepted, and goes
 *             on when its connection is closed; needs two threads
 *
 * The answer to a request is its body. Parameters that change this:
 *   WHO       answer with the process's number instead
 *   SLEEP=n   take n milliseconds first
 *   READ=n    read only n bytes of the body
 *   SIZE=n    answer with n bytes 'x' instead
 *   KEEP=n    the program sets keepConnection to n
 *   TAKE      the program takes the connection for itself; the answer so far is sent
 *   FORK      make a child that goes on serving; the answer is the child's number
 *   FORK=afresh  as FORK; first the child closes all inherited descriptors and opens its own files
 *   FORK=idle    as FORK, but the child does nothing more
 *   RAW_FORK  make a child without running fork handlers; it gets SIGTERM and ends
 *   ELSEWHERE afterwards, wait on another listen socket, "other"
 *   ANEW      first, close the listen socket; a new one, by FCGX_OpenSocket, gets its number
 *   REOPEN    afterwards, close the listen socket; a new one, by FCGX_OpenSocket, gets its number
 *   REOPEN_OS as REOPEN, by OS_CreateLocalIpcFd
 *   OVER=n,m  first, put the program's own file at these numbers; with EPOLL its own epoll instance
 *   REPLACE   afterwards, put a new listen socket at the listen socket's number
 * When Accept fails, the thread prints the result on a line and ends.
 */
#define _GNU_SOURCE
#include "own_files.h"

#include <fcgiapp.h>
#include <fcgios.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OWN_FILES 8

static int listen_socket, flags, storm, lingers, opens_another, requests_each;

static int has(FCGX_Request *request, const char *name)
{
    return FCGX_GetParam(name, request->envp) != NULL;
}

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
    if (has(request, "WHO"))
        FCGX_FPrintF(request->out, "%d", (int)getpid());
    else if (size >= 0)
        write_size(request, size);
    else
        copy_body(request);
}

/* ---- children ---- */

static sem_t accepted, forked, closed;

/* These two run next to the fork itself: the handlers registered first run last before it and first
   after it. */
static void before_fork(void)
{
    sem_wait(&accepted);
}

static void after_fork(void)
{
    sem_post(&forked);
    sem_wait(&closed);
}

static void have_meanwhile(void)
{
    sem_init(&accepted, 0, 0);
    sem_init(&forked, 0, 0);
    sem_init(&closed, 0, 0);
    pthread_atfork(before_fork, after_fork, NULL);
}

static void start_afresh(void)
{
    int fd, i;

    for (fd = 3; fd < MOST; fd++)
        close(fd);
    for (i = 0; i < OWN_FILES; i++)
        open("/dev/zero", O_RDONLY);
}

/* Makes a child, which goes on as the program; it frees its copy of the parent's request. */
static void make_child(FCGX_Request *request)
{
    const char *how = FCGX_GetParam("FORK", request->envp);
    int idle = strcmp(how, "idle") == 0, afresh = strcmp(how, "afresh") == 0;
    pid_t child = fork();

    if (child > 0) {
        FCGX_FPrintF(request->out, "%d", (int)child);
        return;
    }
    while (idle)
        pause();
    FCGX_Free(request, 0), request->ipcFd = -1;
    if (afresh)
        start_afresh();
}

static void make_child_unnoticed(void)
{
    pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

    if (child == 0) {
        kill(getpid(), SIGTERM);
        syscall(SYS_exit_group, 0); /* no sanitizer runtime knows of the child */
    }
    waitpid(child, NULL, 0);
}

/* ---- descriptors that change under the library ---- */

static void take_over(FCGX_Request *request)
{
    FCGX_FFlush(request->out);
    request->ipcFd = -1;
    FCGX_Free(request, 1);
}

static void wait_on_another(FCGX_Request *request)
{
    listen_socket = request->listen_sock = FCGX_OpenSocket("other", MOST);
}

static void reopen(FCGX_Request *request)
{
    close(listen_socket);
    if (FCGX_OpenSocket("socket", MOST) != request->listen_sock)
        abort();
}

static void reopen_by_os(FCGX_Request *request)
{
    close(listen_socket);
    if (OS_CreateLocalIpcFd("socket", MOST) != request->listen_sock)
        abort();
}

static void replace(FCGX_Request *request)
{
    struct sockaddr_un address = { AF_UNIX, "socket" };
    int new = socket(AF_UNIX, SOCK_STREAM, 0);

    unlink(address.sun_path);
    if (bind(new, (struct sockaddr *)&address, sizeof address) != 0 || listen(new, MOST) != 0)
        abort();
    dup2(new, request->listen_sock);
    close(new);
}

static void nothing(FCGX_Request *unused)
{
    (void)unused;
}

/* Returns what to do when the request is finished. */
static void (*afterwards(FCGX_Request *request))(FCGX_Request *)
{
    return has(request, "ELSEWHERE") ? wait_on_another
           : has(request, "REOPEN") ? reopen
           : has(request, "REOPEN_OS") ? reopen_by_os
           : has(request, "REPLACE") ? replace
           : nothing;
}

/* ---- serving ---- */

static void serve_one(FCGX_Request *request)
{
    void (*then)(FCGX_Request *) = afterwards(request);
    int meanwhile = has(request, "MEANWHILE"), taken = has(request, "TAKE");

    if (meanwhile) {
        sem_post(&accepted);
        sem_wait(&forked);
    }
    if (has(request, "ANEW"))
        reopen(request);
    put_over(request);
    if (has(request, "RAW_FORK"))
        make_child_unnoticed();
    if (has(request, "FORK"))
        make_child(request);
    else
        answer(request);
    if (taken)
        take_over(request);
    FCGX_Finish_r(request);
    if (meanwhile)
        sem_post(&closed);
    then(request);
}

static void *serve(void *unused)
{
    FCGX_Request request;
    int result;

    FCGX_InitRequest(&request, listen_socket, flags);
    while ((result = FCGX_Accept_r(&request)) == 0) {
        serve_one(&request);
        if (requests_each > 0 && --requests_each == 0)
            _exit(0);
    }
    FCGX_Free(&request, 1);
    printf("%d\n", result);
    fflush(stdout);
    while (lingers)
        pause();
    return unused;
}

static void *serve_alone(void *unused)
{
    char buffer[3000];
    int connection;

    while ((connection = OS_Accept(listen_socket, 0, NULL)) >= 0) {
        ssize_t got = read(connection, buffer, sizeof buffer);

        if (got > 0 && write(connection, buffer, (size_t)got) != got)
            abort();
        OS_IpcClose(connection, 1);
    }
    printf("%d\n", -errno);
    fflush(stdout);
    return unused;
}

static void *(*serve_in_thread)(void *) = serve;

static void serve_with_threads(int threads)
{
    pthread_t ids[MOST];
    int i;

    if (threads == 0)
        serve_in_thread(NULL);
    for (i = 0; i < threads; i++)
        pthread_create(&ids[i], NULL, serve_in_thread, NULL);
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

static void serve_with_children_without_end(int processes)
{
    int running;

    for (running = 0;; running++) {
        if (running >= processes)
            wait(NULL);
        if (fork() == 0) {
            serve_with_threads(0);
            return;
        }
    }
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

static void on_signal_close(int unused)
{
    (void)unused;
    FCGX_ShutdownPending();
    close(listen_socket);
    if (opens_another && open("/dev/zero", O_RDONLY) != listen_socket)
        abort();
}

static void on_signal_fork(int unused)
{
    int error = errno;

    (void)unused;
    if (fork() < 0)
        abort();
    errno = error;
}

static void handle(int signal_number, void (*handler)(int), int handler_flags)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = handler_flags;
    sigaction(signal_number, &action, NULL);
}

/* Limits the descriptors; the caller of the test may have left others open. */
static void have_descriptors(rlim_t most)
{
    struct rlimit files = { most, most };
    int fd;

    for (fd = 3; fd < 1024; fd++)
        close(fd);
    setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv)
{
    struct itimerval every = { { 0, 1000 }, { 0, 1000 } };
    struct timeval limit = { 0, 0 };
    int option, threads = 0, processes = 0, nonblocking = 0, close_on_exec = 0;

    memset(piece, 'x', sizeof piece);
    while ((option = getopt(argc, argv, "o:nt:p:e:AasxydDOkirw:f:clm")) != -1) {
        if (option == 'o')
            listen_socket = FCGX_OpenSocket(optarg, 64);
        else if (option == 'n')
            nonblocking = 1;
        else if (option == 't')
            threads = atoi(optarg);
        else if (option == 'p')
            processes = atoi(optarg);
        else if (option == 'e')
            requests_each = atoi(optarg);
        else if (option == 'A')
            serve_in_thread = serve_alone;
        else if (option == 'a')
            storm = 1;
        else if (option == 's')
            handle(SIGUSR2, on_signal_shut_down, SA_RESTART);
        else if (option == 'x' || option == 'y')
            opens_another = option == 'y', handle(SIGTERM, on_signal_close, SA_RESTART);
        else if (option == 'd' || option == 'D')
            puts_own = option == 'D', handle(SIGUSR2, on_signal_close_all, SA_RESTART), have_own_files();
        else if (option == 'O')
            have_own_files();
        else if (option == 'k')
            handle(SIGUSR2, on_signal_fork, SA_RESTART);
        else if (option == 'i')
            flags = FCGI_FAIL_ACCEPT_ON_INTR, handle(SIGUSR2, on_signal, 0);
        else if (option == 'r')
            flags = FCGI_FAIL_ACCEPT_ON_INTR, handle(SIGCHLD, on_signal, SA_RESTART);
        else if (option == 'w')
            limit.tv_sec = atoi(optarg) / 1000, limit.tv_usec = atoi(optarg) % 1000 * 1000;
        else if (option == 'f')
            have_descriptors((rlim_t)atoi(optarg));
        else if (option == 'c')
            close_on_exec = 1;
        else if (option == 'l')
            lingers = 1;
        else if (option == 'm')
            have_meanwhile();
        else
            return 2;
    }
    if (listen_socket < 0 || threads > MOST || FCGX_Init() != 0)
        return 2;
    if (nonblocking)
        fcntl(listen_socket, F_SETFL, fcntl(listen_socket, F_GETFL) | O_NONBLOCK);
    if (limit.tv_sec + limit.tv_usec > 0)
        setsockopt(listen_socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (close_on_exec)
        fcntl(listen_socket, F_SETFD, FD_CLOEXEC);
    if (storm) {
        handle(SIGALRM, on_signal, 0);
        setitimer(ITIMER_REAL, &every, NULL);
    }
    if (requests_each > 0)
        serve_with_children_without_end(processes);
    else if (processes > 0)
        serve_with_processes(processes, threads);
    else
        serve_with_threads(threads);
    return 0;
}
