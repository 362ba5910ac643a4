/*
 * A thread waits in Accept while the program closes the listen socket and opens another file, which
 * gets the same number. The library does not touch that file.
 */
#include "fcgi_client.h"

#include <pthread.h>

static void *wait_for_requests(void *request)
{
    FCGX_Accept_r(request);
    return NULL;
}

int main(void)
{
    FCGX_Request request;
    pthread_t thread;
    int sock = listen_here(), pair[2];

    FCGX_InitRequest(&request, sock, 0);
    pthread_create(&thread, NULL, wait_for_requests, &request);
    /* The thread most likely waits by then. If it does not, the test checks less. */
    poll(NULL, 0, 300);
    close(sock);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        die("socketpair");
    printf("the number: %d\n", pair[0] == sock);
    /* Longer than the interval at which the library checks the listen socket. */
    poll(NULL, 0, 1500);
    printf("O_NONBLOCK: %d\n", (fcntl(sock, F_GETFL) & O_NONBLOCK) != 0);
    FCGX_ShutdownPending();
    printf("O_NONBLOCK: %d\n", (fcntl(sock, F_GETFL) & O_NONBLOCK) != 0);
    return 0;
}
