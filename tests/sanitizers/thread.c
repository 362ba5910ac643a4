/*
 * Breaks the contract on purpose: two threads write to the same stream without a lock. Both change
 * the stream, and ThreadSanitizer must report that.
 */
#include <fcgiapp.h>

#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>

static void *put(void *stream)
{
    int i;

    for (i = 0; i < 100; i++)
        FCGX_PutChar('x', stream);
    return NULL;
}

int main(void)
{
    FCGX_Stream *stream;
    pthread_t other;
    int sockets[2];

    socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
    stream = FCGX_CreateWriter(sockets[0], 1, 8192, 6);
    pthread_create(&other, NULL, put, stream);
    put(stream);
    pthread_join(other, NULL);
    FCGX_FreeStream(&stream);
    printf("went on\n");
    return 0;
}
