/* FCGX_TAKE_SIGNALS: whatever a language's runtime has set for SIGINT, SIGTERM and SIGUSR1 before, they request
 * shutdown. Each case is a process of its own. */
#include "request.h"

#include <fcgios.h>
#include <signal.h>

static const struct {
    const char *name;
    int number;
} signals[] = { { "SIGINT", SIGINT }, { "SIGTERM", SIGTERM }, { "SIGUSR1", SIGUSR1 } };

static volatile int own_runs;

static void own(int unused)
{
    (void)unused;
    own_runs++;
}

static void print_action(const char *when, int number)
{
    struct sigaction action;

    if (sigaction(number, NULL, &action) != 0)
        die("sigaction");
    printf("  %s: %s%s\n", when,
           action.sa_handler == SIG_DFL   ? "SIG_DFL"
           : action.sa_handler == SIG_IGN ? "SIG_IGN"
           : action.sa_handler == own     ? "the program's"
                                          : "the library's",
           action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN || action.sa_handler == own ? ""
           : action.sa_flags & SA_ONSTACK ? ", SA_ONSTACK"
                                          : ", on the thread's stack");
}

static void all_actions(const char *when)
{
    int i;

    printf(" %s\n", when);
    for (i = 0; i < 3; i++)
        print_action(signals[i].name, signals[i].number);
}

static void set_all(void (*handler)(int))
{
    int i;

    for (i = 0; i < 3; i++)
        signal(signals[i].number, handler);
}

/* Runs in a child: what is taken, and what OS_LibShutdown sets. */
static void take_from(void (*before)(int))
{
    struct FCGX_Request *r[3];
    int sock, i;

    set_all(before);
    sock = FCGX_Listen(SOCKET_PATH, 5);
    r[0] = FCGX_RequestNew(sock, 0);
    all_actions("without the flag");
    r[1] = FCGX_RequestNew(sock, FCGX_TAKE_SIGNALS);
    all_actions("with it");
    OS_LibShutdown();
    all_actions("after OS_LibShutdown");
    set_all(own);
    r[2] = FCGX_RequestNew(sock, FCGX_TAKE_SIGNALS | FCGX_INTERRUPTIBLE);
    all_actions("taken again, from handlers");
    for (i = 0; i < 3; i++)
        FCGX_RequestFree(r[i]);
    OS_LibShutdown();
    all_actions("after OS_LibShutdown");
}

/* Sends a signal to a process when that waits. */
static void signal_later(int number)
{
    pid_t program = getpid();

    fflush(stdout);
    if (fork() == 0) {
        await_sleep(program, (int)program);
        kill(program, number);
        _exit(0);
    }
}

/* Runs in a child: a signal in a request, and one in a wait. */
static void shut_down_by(int number, int in_a_request)
{
    struct FCGX_Request *r;
    int sock, client;

    set_all(own);
    sock = FCGX_Listen(SOCKET_PATH, 5);
    r = FCGX_RequestNew(sock, FCGX_TAKE_SIGNALS | FCGX_INTERRUPTIBLE);
    client = request_here("body");
    show("  Next", FCGX_RequestNext(r, -1));
    if (in_a_request)
        raise(number);
    show("  Write", FCGX_RequestWrite(r, "whole", 5));
    show("  End", FCGX_RequestEnd(r, 0));
    print_reply(client);
    if (!in_a_request)
        signal_later(number);
    show("  Next", FCGX_RequestNext(r, -1));
    printf("  the program's handler has run %d times\n", own_runs);
    FCGX_RequestFree(r);
}

/* Runs in a child: the handler uses the thread's signal stack. */
static void on_its_stack(void)
{
    static unsigned char room[65536];
    stack_t stack = { .ss_sp = room, .ss_size = sizeof room };
    size_t i, used = 0;

    FCGX_RequestNew(FCGX_Listen(SOCKET_PATH, 5), FCGX_TAKE_SIGNALS);
    if (sigaltstack(&stack, NULL) != 0)
        die("sigaltstack");
    memset(room, 0xaa, sizeof room);
    raise(SIGINT);
    for (i = 0; i < sizeof room; i++)
        used += room[i] != 0xaa;
    printf("  ran on the %s stack\n", used > 0 ? "signals'" : "thread's");
}

static int is_child(const char *what)
{
    pid_t child;

    printf("%s\n", what);
    fflush(stdout);
    child = fork();
    if (child != 0)
        print_child_end("child", child);
    return child == 0;
}

static void leave(void)
{
    fflush(stdout);
    _exit(0);
}

int main(void)
{
    int i;

    if (is_child("handlers of the program"))
        take_from(own), leave();
    if (is_child("the default action"))
        take_from(SIG_DFL), leave();
    if (is_child("ignored"))
        take_from(SIG_IGN), leave();
    for (i = 0; i < 3; i++) {
        printf("%s ", signals[i].name);
        if (is_child("in a request"))
            shut_down_by(signals[i].number, 1), leave();
        printf("%s ", signals[i].name);
        if (is_child("in a wait"))
            shut_down_by(signals[i].number, 0), leave();
    }
    if (is_child("a stack for signals"))
        on_its_stack(), leave();
    return 0;
}
