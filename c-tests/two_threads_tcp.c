/*
 * differs: One request used by several threads
 *
 * Over TCP the kernel takes large writes in parts, whatever library makes them. In the original,
 * records of other threads come between these parts.
 */
#include "two_threads.h"

#define MESSAGES 20000

static void *write_err(void *stream)
{
    int i;

    for (i = 0; i < MESSAGES; i++)
        if (FCGX_PutS("a line for the log\n", stream) < 0 || FCGX_FFlush(stream) != 0)
            return "err: failed";
    return NULL;
}

static void *read_late(void *fd)
{
    static struct records seen;

    seen = read_records(*(int *)fd);
    /* After a broken record the writers must not wait for the reader. */
    close(*(int *)fd);
    return &seen;
}

int main(void)
{
    FCGX_Request request;
    pthread_t client, out, err;
    void *seen;
    int ends[2];

    FCGX_Init();
    accept_on_tcp(&request, ends);
    pthread_create(&client, NULL, read_late, &ends[0]);
    pthread_create(&out, NULL, write_out, request.out);
    pthread_create(&err, NULL, write_err, request.err);
    pthread_join(out, NULL);
    pthread_join(err, NULL);
    FCGX_Finish_r(&request);
    pthread_join(client, &seen);
    print_records("out and err over TCP", *(struct records *)seen);
    return 0;
}
