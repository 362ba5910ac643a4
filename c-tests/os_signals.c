/*
 * The signal handlers that OS_LibInit installs, and those that it replaces.
 */
#define _GNU_SOURCE
#include <fcgios.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void own(int number)
{
    (void)number;
}

static void show(const char *when)
{
    static const int numbers[] = {SIGPIPE, SIGUSR1, SIGTERM, SIGHUP, SIGINT, SIGUSR2, SIGCHLD};
    static const char *const names[] = {"PIPE", "USR1", "TERM", "HUP", "INT", "USR2", "CHLD"};
    struct sigaction action;
    size_t i;

    printf("%s:", when);
    for (i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        sigaction(numbers[i], NULL, &action);
        printf(" %s %s%s", names[i],
               action.sa_handler == SIG_DFL   ? "default"
               : action.sa_handler == SIG_IGN ? "ignored"
               : action.sa_handler == own     ? "own"
                                              : "library",
               action.sa_flags & SA_RESTART ? " restart" : "");
    }
    printf("\n");
}

static void set(int number, void (*handler)(int))
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    sigaction(number, &action, NULL);
}

static void untouched(void)
{
    show("at first");
    OS_LibInit(NULL);
    show("initialised");
    OS_LibInit(NULL);
    show("again");
    raise(SIGPIPE);
    raise(SIGTERM);
    raise(SIGUSR1);
    printf("still alive, Accept: %d\n", OS_Accept(0, 0, NULL));
}

static void programs_own(void)
{
    set(SIGPIPE, own);
    set(SIGUSR1, SIG_IGN);
    set(SIGTERM, own);
    OS_LibInit(NULL);
    show("over the program's own");
}

static void in_child(void (*part)(void))
{
    int status = -1;
    pid_t child;
    fflush(stdout);
    child = fork();
    if (child == 0) {
        alarm(10);
        part();
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, &status, 0);
    printf("status %d\n", status);
}

int main(void)
{
    /* Whatever started the test may ignore them. */
    set(SIGHUP, SIG_DFL);
    set(SIGINT, SIG_DFL);
    set(SIGPIPE, SIG_DFL); /* Test runners often ignore it. */
    in_child(untouched);
    in_child(programs_own);
    return 0;
}
