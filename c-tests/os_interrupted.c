/*
 * Signals during OS_Read and OS_Write; OS_SetFlags on a closed descriptor; a peer that never stops.
 *
 * differs: A signal while reading or writing
 * differs: Closing while the peer goes on sending a little at a time
 * differs: NULL, and what is closed, foreign or impossible
 */
#define _GNU_SOURCE
#include <fcgios.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int ends[2];
static char block[1 << 16];

static void on_signal(int number)
{
    (void)number;
}

static void say(const char *what, int result)
{
    printf("%s: %d%s%s\n", what, result, result < 0 ? " " : "", result < 0 ? strerror(errno) : "");
}

/* Sends five signals while the parent lives. */
static void signal_parent(pid_t parent)
{
    int i;
    for (i = 0; i < 5 && usleep(20000) == 0 && getppid() == parent; i++)
        kill(parent, SIGHUP);
}

static void stop(pid_t child)
{
    kill(child, SIGKILL);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
}

static void reading(void)
{
    pid_t child, parent = getpid();
    if (pipe(ends) != 0)
        return;
    fflush(stdout);
    child = fork();
    if (child == 0) {
        signal_parent(parent);
        if (write(ends[1], "abc", 3) != 3)
            _exit(1);
        _exit(0);
    }
    say("Read", OS_Read(ends[0], block, 3));
    stop(child);
}

static void writing(void)
{
    pid_t child, parent = getpid();
    if (pipe(ends) != 0)
        return;
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    while (write(ends[1], block, sizeof block) > 0)
        continue;
    fcntl(ends[1], F_SETFL, 0);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        signal_parent(parent);
        while (read(ends[0], block, sizeof block) > 0)
            continue;
        _exit(0);
    }
    say("Write", OS_Write(ends[1], block, 3));
    stop(child);
}

static void flags_of_nothing(void)
{
    int status = -1;
    pid_t child;
    fflush(stdout);
    child = fork();
    if (child == 0) {
        OS_SetFlags(99, O_NONBLOCK);
        _exit(0);
    }
    waitpid(child, &status, 0);
    printf("SetFlags on a closed descriptor: %s\n", status == 0 ? "nothing" : "the process ended");
}

/* LIBFCGI_OS_CLOSE_POLL_TIMEOUT is 300 here. The peer sends a byte every 100 ms, for 2 s. */
static void trickling_peer(void)
{
    struct timeval begin, end;
    pid_t child;
    long time;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        return;
    fflush(stdout);
    child = fork();
    if (child == 0) {
        int i;
        close(ends[0]);
        for (i = 0; i < 20; i++) {
            usleep(100000);
            if (write(ends[1], "x", 1) != 1)
                _exit(0);
        }
        _exit(0);
    }
    close(ends[1]);
    gettimeofday(&begin, NULL);
    OS_Close(ends[0], 1);
    gettimeofday(&end, NULL);
    time = (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_usec - begin.tv_usec) / 1000;
    printf("closing waits for a trickling peer: %s\n", time < 1500 ? "not long" : "too long");
    stop(child);
}

int main(void)
{
    struct sigaction action;

    alarm(30);
    setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "300", 1);
    OS_LibInit(NULL);
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigaction(SIGHUP, &action, NULL);
    reading();
    writing();
    flags_of_nothing();
    trickling_peer();
    return 0;
}
