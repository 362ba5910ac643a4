/*
 * Runs a program's main in a thread with STACK bytes of stack. Linked with -Wl,--wrap=main. The
 * memory below the stack must not be touched. At the end it reports on stderr how much of the stack
 * was used, including the thread descriptor and thread-local variables.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define GUARD (1 << 20)
#define PAINT 0xa5

int __real_main(int argc, char **argv);
int __wrap_main(int argc, char **argv);

static unsigned char *stack;
static sigset_t signals;
static int count;
static char **arguments;

static void die(const char *what)
{
    perror(what);
    _Exit(99);
}

static void report(void)
{
    size_t unused = 0;
    char line[64];

    while (unused < STACK && stack[unused] == PAINT)
        unused++;
    snprintf(line, sizeof line, "stack: %zu of %d bytes\n", STACK - unused, STACK);
    fputs(line, stderr);
}

static void *run(void *unused)
{
    (void)unused;
    pthread_sigmask(SIG_SETMASK, &signals, NULL);
    exit(__real_main(count, arguments));
}

int __wrap_main(int argc, char **argv)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all;
    unsigned char *memory = mmap(NULL, GUARD + STACK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED || mprotect(memory + GUARD, STACK, PROT_READ | PROT_WRITE) != 0)
        die("stack");
    stack = memory + GUARD;
    memset(stack, PAINT, STACK);
    atexit(report);
    count = argc;
    arguments = argv;
    /* A signal for the process goes to the program's thread. */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &signals);
    pthread_attr_init(&attributes);
    if (pthread_attr_setstack(&attributes, stack, STACK) != 0)
        die("pthread_attr_setstack");
    if (pthread_create(&thread, &attributes, run, NULL) != 0)
        die("pthread_create");
    pthread_join(thread, NULL);
    return 98;
}
