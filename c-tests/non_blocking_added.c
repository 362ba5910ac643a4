/*
 * differs: Adding `O_NONBLOCK` to a listen socket that the library has made non-blocking
 * With threads the library has already set the flag for itself, so adding it changes nothing.
 */
#include "fcgi_client.h"

#include <pthread.h>

static void *do_nothing(void *unused)
{
    for (;;)
        pause();
    return unused;
}

static void serve(FCGX_Request *request, int client)
{
    printf("Accept: %d\n", FCGX_Accept_r(request));
    FCGX_Finish_r(request);
    close(client);
}

int main(void)
{
    FCGX_Request request;
    pthread_t thread;
    int sock = listen_here();
    pid_t child;

    FCGX_InitRequest(&request, sock, 0);
    pthread_create(&thread, NULL, do_nothing, NULL);
    serve(&request, request_here(""));
    fcntl(sock, F_SETFL, fcntl(sock, F_GETFL) | O_NONBLOCK);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        /* Longer than a call that does not wait. */
        poll(NULL, 0, 300);
        close(request_here(""));
        _exit(0);
    }
    serve(&request, -1);
    waitpid(child, NULL, 0);
    return 0;
}
