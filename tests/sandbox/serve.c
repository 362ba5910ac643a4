/*
 * A FastCGI program that makes the library do everything it can.
 * Usage: serve THREADS SOCKET NAMES...
 *
 * It opens listen sockets with all names, and serves the first one. The response to a request is
 * its body, or the first n bytes with READ=n. FORK makes a child that ends. When Accept fails, each
 * thread prints its result on a line.
 */
#include <fcgiapp.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST 1000000

/* Defined in filter.c when that is preloaded. */
void so_far(int requests) __attribute__((weak));

static int listen_socket, requests;

static void say_so_far(int finished)
{
    if (so_far != NULL)
        so_far(finished);
}

static void make_child(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
}

static void *serve(void *unused)
{
    char *body = malloc(MOST);
    FCGX_Request request;
    int result;

    FCGX_InitRequest(&request, listen_socket, 0);
    while ((result = FCGX_Accept_r(&request)) == 0) {
        const char *most = FCGX_GetParam("READ", request.envp);
        int got = FCGX_GetStr(body, most == NULL ? MOST : atoi(most), request.in);

        if (FCGX_GetParam("FORK", request.envp) != NULL)
            make_child();
        FCGX_PutStr(body, got, request.out);
        FCGX_Finish_r(&request);
        say_so_far(__sync_add_and_fetch(&requests, 1));
    }
    FCGX_Free(&request, 1);
    free(body);
    printf("%d\n", result);
    fflush(stdout);
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t threads[8];
    int i, count = argc > 2 ? atoi(argv[1]) : 9;

    if (count > 8 || (listen_socket = FCGX_OpenSocket(argv[2], 64)) < 0)
        return 2;
    for (i = 3; i < argc; i++)
        if (FCGX_OpenSocket(argv[i], 64) < 0)
            return 3;
    if (FCGX_IsCGI() < 0 || FCGX_Init() != 0)
        return 4;
    say_so_far(0);
    if (count == 0)
        serve(NULL);
    for (i = 0; i < count; i++)
        pthread_create(&threads[i], NULL, serve, NULL);
    for (i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
