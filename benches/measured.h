/*
 * Shared by all programs of the benchmark: the content that they send, and the two marks between
 * which their requests are counted.
 */
#ifndef MEASURED_H
#define MEASURED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD "Content-type: text/plain\r\n\r\n"
#define WORD "benchmark"
#define LARGEST (16 * 1024 * 1024)

/*
 * Requests before the first mark, between the marks, and after them. With several threads, as many
 * are in progress at the second mark as there were at the first.
 */
static unsigned warm_up, counted, tail;

/* Content to send: LARGEST bytes of the alphabet. */
static char *letters;

/*
 * Callgrind knows this function by name and writes its counts on entry. strace and the heap counter
 * see the system call, which nothing else here makes.
 */
#ifdef __cplusplus
extern "C"
#endif
__attribute__((noinline)) void mark(void)
{
    (void)getppid();
}

/* Counts a request; called after each. Ends the process after the last one. */
static inline void one_request_done(void)
{
    static unsigned done;
    unsigned now = __atomic_add_fetch(&done, 1, __ATOMIC_RELAXED);

    if (now == warm_up || now == warm_up + counted)
        mark();
    if (now == warm_up + counted + tail)
        exit(0);
}

/* Fills the content to send. `size`: the number of bytes that the scenario needs. */
static inline void make_letters(size_t size)
{
    size_t i;

    letters = (char *)malloc(size + 1);
    if (letters == NULL)
        exit(1);
    for (i = 0; i < size; i++)
        letters[i] = (char)('a' + i % 26);
    letters[size] = '\0';
}

#endif
