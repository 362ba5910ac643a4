/*
 * Threads that wait for a request are cancelled while others serve. The remaining threads serve
 * every request, even when all but one of them are busy.
 */
#include "fcgi_client.h"

#include <pthread.h>
#include <semaphore.h>

#define THREADS 12
#define CANCELLED 6

static pthread_t ids[THREADS];
static int listen_socket;
static sem_t taken, go_on;

static void *serve(void *unused)
{
    FCGX_Request request;

    FCGX_InitRequest(&request, listen_socket, 0);
    while (FCGX_Accept_r(&request) == 0) {
        if (FCGX_GetParam("WAIT", request.envp) != NULL) {
            sem_post(&taken);
            while (sem_wait(&go_on) != 0)
                ;
        }
        FCGX_PutS("answer", request.out);
        FCGX_Finish_r(&request);
    }
    return unused;
}

/* Sends a request whose thread then waits in the program. */
static int busy_request(void)
{
    int fd = connect_here();

    send_begin(fd, 1, FCGI_RESPONDER, 0);
    send_pair(fd, 1, "WAIT", "");
    send_end(fd, FCGI_PARAMS, 1);
    send_end(fd, FCGI_STDIN, 1);
    while (sem_wait(&taken) != 0)
        ;
    return fd;
}

/* Sends requests one after the other, so that threads have started to wait recently. */
static int quick_requests(int count)
{
    struct reply reply;
    int i, answered = 0;

    for (i = 0; i < count; i++) {
        int fd = request_here("");

        memset(&reply, 0, sizeof reply);
        while (reply_read(fd, &reply, PATIENCE_MS))
            ;
        answered += reply.closed;
        free(reply.bytes);
        close(fd);
    }
    return answered;
}

int main(void)
{
    int busy[THREADS], count, i;
    void *result;

    listen_socket = listen_here();
    sem_init(&taken, 0, 0);
    sem_init(&go_on, 0, 0);
    for (i = 0; i < THREADS; i++)
        pthread_create(&ids[i], NULL, serve, NULL);
    for (i = 0; i < CANCELLED; i++) {
        printf("answered: %d\n", quick_requests(40));
        pthread_cancel(ids[i]);
        pthread_join(ids[i], &result);
        printf("cancelled: %d\n", result == PTHREAD_CANCELED);
    }
    for (count = 0; count < THREADS - CANCELLED - 1; count++) {
        busy[count] = busy_request();
        printf("answered: %d\n", quick_requests(20));
    }
    for (i = 0; i < count; i++)
        sem_post(&go_on);
    for (i = 0; i < count; i++)
        print_reply(busy[i]);
    return 0;
}
