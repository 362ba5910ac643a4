/*
 * Signal handlers of the library run on the thread's alternate signal stack.
 *
 * differs: Signal in a thread that has a stack for signals
 */
#include "fcgi_client.h"

#include <signal.h>

static unsigned char room[65536];

static void print_flags(const char *name, int number)
{
    struct sigaction action;

    if (sigaction(number, NULL, &action) != 0)
        die("sigaction");
    printf("%s: SA_ONSTACK %d, SA_RESTART %d\n", name, (action.sa_flags & SA_ONSTACK) != 0,
           (action.sa_flags & SA_RESTART) != 0);
}

/* Prints whether the handler has run on the alternate signal stack. */
static void print_stack(const char *name, int number)
{
    size_t i, used = 0;

    memset(room, 0xaa, sizeof room);
    raise(number);
    for (i = 0; i < sizeof room; i++)
        used += room[i] != 0xaa;
    printf("%s: ran on the %s stack\n", name, used > 0 ? "signals'" : "thread's");
}

int main(void)
{
    stack_t stack = { .ss_sp = room, .ss_size = sizeof room };

    FCGX_Init();
    print_flags("SIGTERM", SIGTERM);
    print_flags("SIGUSR1", SIGUSR1);
    print_flags("SIGPIPE", SIGPIPE);
    if (sigaltstack(&stack, NULL) != 0)
        die("sigaltstack");
    print_stack("SIGPIPE", SIGPIPE);
    print_stack("SIGTERM", SIGTERM);
    print_stack("SIGUSR1", SIGUSR1);
    return 0;
}
