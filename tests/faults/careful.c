/*
 * A FastCGI program that checks every result. Usage: careful SOCKET-PATH THREADS
 *
 * It responds with the body. If the body cannot be read to its end, "\nbroken" follows what was
 * read.
 */
#include <fcgiapp.h>

#include <pthread.h>
#include <stdlib.h>

#define MOST 16

static int listen_socket;

static void answer(FCGX_Request *request)
{
    char buffer[5000];
    int got;

    while ((got = FCGX_GetStr(buffer, sizeof buffer, request->in)) > 0)
        if (FCGX_PutStr(buffer, got, request->out) != got)
            return;
    if (FCGX_GetError(request->in) != 0)
        FCGX_PutS("\nbroken", request->out);
}

static void *serve(void *unused)
{
    FCGX_Request request;

    FCGX_InitRequest(&request, listen_socket, 0);
    while (FCGX_Accept_r(&request) == 0) {
        answer(&request);
        FCGX_Finish_r(&request);
    }
    return unused;
}

int main(int argc, char **argv)
{
    int i, threads = argc == 3 ? atoi(argv[2]) : 0;
    pthread_t ids[MOST];

    if (threads < 1 || threads > MOST || FCGX_Init() != 0)
        return 2;
    listen_socket = FCGX_OpenSocket(argv[1], 64);
    if (listen_socket < 0)
        return 2;
    /* The main thread serves too, and a program with one thread has no other. */
    for (i = 1; i < threads; i++)
        if (pthread_create(&ids[i], NULL, serve, NULL) != 0)
            return 2;
    serve(NULL);
    for (i = 1; i < threads; i++)
        pthread_join(ids[i], NULL);
    return 3;
}
