/*
 * Asynchronous operations on which the original ends the process, each in its own process.
 *
 * differs: NULL, and what is closed, foreign or impossible
 */
#define _GNU_SOURCE
#include <fcgios.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static char buffer[64];
static int ends[2];

static void told(ClientData name, int len)
{
    printf("  %s: %d%s%s\n", (const char *)name, len, len < 0 ? " " : "",
           len < 0 ? strerror(errno) : "");
}

static void start(const char *what, int fd, void *memory, int len, OS_AsyncProc proc)
{
    int result = OS_AsyncRead(fd, -1, memory, len, proc, (ClientData)what);
    printf(" start %s: %d%s%s\n", what, result, result < 0 ? " " : "",
           result < 0 ? strerror(errno) : "");
}

static void run(void)
{
    struct timeval time = {0, 1000};
    printf(" DoIo: %d\n", OS_DoIo(&time));
}

static void twice(void)
{
    start("first", ends[0], buffer, 1, told);
    start("second", ends[0], buffer, 1, told);
    run();
}

static void closed_descriptor(void)
{
    start("closed", 99, buffer, 1, told);
    start("open", ends[0], buffer, 1, told);
    run();
    run();
}

static void negative_descriptor(void)
{
    int result = OS_CloseRead(-1);
    printf(" CloseRead: %d %s\n", result, strerror(errno));
    start("negative", -1, buffer, 1, told);
    run();
}

static void high_descriptor(void)
{
    struct rlimit limit = {3000, 3000};
    int high;
    setrlimit(RLIMIT_NOFILE, &limit);
    high = fcntl(ends[0], F_DUPFD, 2000);
    printf(" above 1024: %d\n", high > 1024);
    start("high", high, buffer, 1, told);
    run();
}

static void no_procedure(void)
{
    start("no procedure", ends[0], buffer, 1, NULL);
    start("negative length", ends[0], buffer, -1, told);
    run();
}

static void not_a_time(void)
{
    struct timeval time = {-1, 0};
    int result = OS_DoIo(&time);
    printf(" DoIo: %d %s\n", result, strerror(errno));
    time.tv_sec = 0;
    time.tv_usec = -1;
    result = OS_DoIo(&time);
    printf(" DoIo: %d %s\n", result, strerror(errno));
}

static void after_shutdown(void)
{
    start("forgotten", ends[0], buffer, 1, told);
    OS_LibShutdown();
    run();
    start("afterwards", ends[0], buffer, 1, told);
    run();
}

static void on_signal(int number)
{
    (void)number;
}

/* Sends at most `times` signals, while the parent lives. */
static void signal_parent(pid_t parent, int number, int times)
{
    while (times-- > 0 && usleep(20000) == 0 && getppid() == parent)
        kill(parent, number);
}

/* Waits while a child sends signals and then a byte. */
static void signals(void)
{
    struct sigaction action;
    int other[2];
    pid_t parent = getpid();
    if (pipe(other) != 0)
        return;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigaction(SIGHUP, &action, NULL);
    fflush(stdout);
    if (fork() == 0) {
        signal_parent(parent, SIGHUP, 5);
        if (write(other[1], "x", 1) != 1)
            _exit(1);
        _exit(0);
    }
    start("after signals", other[0], buffer, 1, told);
    printf(" DoIo: %d\n", OS_DoIo(NULL));
}

/* Waits for input that never comes while a child repeatedly requests a shutdown. */
static void shutting_down(void)
{
    int other[2], result;
    pid_t child, parent = getpid();
    if (pipe(other) != 0)
        return;
    fflush(stdout);
    child = fork();
    if (child == 0) {
        signal_parent(parent, SIGTERM, 500);
        _exit(0);
    }
    start("never", other[0], buffer, 1, told);
    result = OS_DoIo(NULL);
    printf(" DoIo: %d %s\n", result, strerror(errno));
    kill(child, SIGKILL);
}

static void in_child(const char *title, void (*part)(void))
{
    int status = -1;
    pid_t child;
    printf("%s\n", title);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        alarm(20);
        close(2);
        if (pipe(ends) != 0 || write(ends[1], "abc", 3) != 3)
            _exit(1);
        part();
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, &status, 0);
    printf(status == 0 ? " well\n" : " the process ended\n");
}

int main(void)
{
    OS_LibInit(NULL);
    in_child("two reads at once", twice);
    in_child("closed descriptor", closed_descriptor);
    in_child("negative descriptor", negative_descriptor);
    in_child("high descriptor", high_descriptor);
    in_child("no procedure, negative length", no_procedure);
    in_child("not a time", not_a_time);
    in_child("after OS_LibShutdown", after_shutdown);
    in_child("signals", signals);
    in_child("shutting down", shutting_down);
    return 0;
}
