/*
 * A thread waits in Accept while the program closes the listen socket and opens something else, which
 * gets its number. Nothing is done to that.
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
    /* Most likely it waits by then; if not, the test asks for less. */
    poll(NULL, 0, 300);
    close(sock);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        die("socketpair");
    printf("the number: %d\n", pair[0] == sock);
    /* Longer than the library waits before it looks at the listen socket unasked. */
    poll(NULL, 0, 1500);
    printf("O_NONBLOCK: %d\n", (fcntl(sock, F_GETFL) & O_NONBLOCK) != 0);
    FCGX_ShutdownPending();
    printf("O_NONBLOCK: %d\n", (fcntl(sock, F_GETFL) & O_NONBLOCK) != 0);
    return 0;
}
