/*
 * differs: Listen socket closed, or opened anew at its number, while threads wait
 *
 * A thread waits in Accept while the program opens another listen socket and closes the one that
 * the thread waits on. Accept fails, and the thread continues with the new socket. The original's
 * thread waits on the closed one.
 */
#include "fcgi_client.h"

#include <pthread.h>
#include <stdatomic.h>

static atomic_int listen_socket, failed;

static void *serve(void *unused)
{
    FCGX_Request request;
    int result;

    FCGX_InitRequest(&request, listen_socket, 0);
    while ((result = FCGX_Accept_r(&request)) < 0) {
        printf("EBADF: %d\n", result == -EBADF);
        failed = 1;
        FCGX_InitRequest(&request, listen_socket, 0);
    }
    FCGX_PutS("served", request.out);
    FCGX_Finish_r(&request);
    return unused;
}

int main(void)
{
    pthread_t thread;
    int old = FCGX_OpenSocket("old", 5), waited;

    FCGX_Init();
    listen_socket = old;
    pthread_create(&thread, NULL, serve, NULL);
    /* The thread most likely waits by then. If it does not, the test checks less. */
    poll(NULL, 0, 300);
    listen_socket = listen_here();
    close(old);
    for (waited = 0; !failed && waited < 300; waited++)
        poll(NULL, 0, 10);
    if (!failed) {
        printf("waits on\n");
        return 0;
    }
    print_reply(request_here("body"));
    pthread_join(thread, NULL);
    return 0;
}
