/* Preloaded into a program to give each of its threads 16,384 bytes of stack. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>

__attribute__((constructor)) static void make_stacks_small(void)
{
    pthread_attr_t attributes;

    pthread_attr_init(&attributes);
    if (pthread_attr_setstacksize(&attributes, 16384) != 0
        || pthread_setattr_default_np(&attributes) != 0)
        abort();
}
