/* Eight threads accept on one listen socket, without their own mutex. */
#include "fcgi_client.h"

#include <pthread.h>

#define THREADS 8
#define REQUESTS 200

static int sock, served[THREADS];

static void *worker(void *argument)
{
    int *count = argument;
    FCGX_Request request;
    char body[20];
    int got;

    FCGX_InitRequest(&request, sock, 0);
    for (;;) {
        if (FCGX_Accept_r(&request) != 0)
            return "Accept_r failed";
        got = FCGX_GetStr(body, sizeof body, request.in);
        FCGX_PutStr(body, got, request.out);
        FCGX_FPrintF(request.out, " %s", FCGX_GetParam("SCRIPT_NAME", request.envp));
        FCGX_Finish_r(&request);
        ++*count;
        if (got == 4 && memcmp(body, "stop", 4) == 0)
            return NULL;
    }
}

/* Sends one request and returns whether exactly the expected content came back. */
static int answered(const char *body)
{
    struct reply reply = { NULL, 0, 0 };
    char expected[40];
    int client = request_here(body), good;

    while (reply_read(client, &reply, PATIENCE_MS))
        ;
    sprintf(expected, "%s /test", body);
    good = record_at(&reply, 0) > 0 && reply.bytes[5] == strlen(expected)
           && memcmp(reply.bytes + FCGI_HEADER_LEN, expected, strlen(expected)) == 0;
    free(reply.bytes);
    close(client);
    return good;
}

int main(void)
{
    pthread_t threads[THREADS];
    char body[20];
    int i, good = 0, total = 0, failed = 0;
    void *result;

    sock = listen_here();
    for (i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, worker, &served[i]) != 0)
            die("pthread_create");
    for (i = 0; i < REQUESTS; i++) {
        sprintf(body, "request %d", i);
        good += answered(body);
    }
    for (i = 0; i < THREADS; i++)
        good += answered("stop");
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &result);
        failed += result != NULL;
        total += served[i];
    }
    printf("good answers %d, served %d, threads that failed %d\n", good, total, failed);
    return 0;
}
