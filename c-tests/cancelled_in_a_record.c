/*
 * differs: One request used by several threads
 *
 * A thread is cancelled in the middle of a record, while it waits for a web server that does not
 * read. Nothing that other threads write on the request can follow, so the connection ends. The
 * original sends their data, and the web server takes it for the rest of the record.
 */
#include "two_threads.h"

#include <sys/ioctl.h>

static int sent(int fd)
{
    int queued;

    if (ioctl(fd, TIOCOUTQ, &queued) != 0)
        die("TIOCOUTQ");
    return queued;
}

/* Counts the bytes before the end of the connection that are not the writer's. */
static void *read_others(void *fd)
{
    static long others;
    unsigned char piece[4096];
    ssize_t n, i;

    while ((n = read(*(int *)fd, piece, sizeof piece)) > 0)
        for (i = 0; i < n; i++)
            others += piece[i] == 'e';
    return &others;
}

int main(void)
{
    FCGX_Request request;
    pthread_t writer, client;
    void *result;
    int ends[2], before;

    FCGX_Init();
    accept_on_tcp(&request, ends);
    pthread_create(&writer, NULL, write_out, request.out);
    do {
        before = sent(ends[1]);
        poll(NULL, 0, 20);
    } while (before == 0 || sent(ends[1]) != before);
    pthread_cancel(writer);
    pthread_join(writer, &result);
    printf("cancelled: %d\n", result == PTHREAD_CANCELED);

    pthread_create(&client, NULL, read_others, &ends[0]);
    printf("put: %d\n", FCGX_PutS("eeee", request.err));
    printf("flush: %d\n", FCGX_FFlush(request.err));
    FCGX_Finish_r(&request);
    pthread_join(client, &result);
    printf("behind the cut record: %ld\n", *(long *)result);
    return 0;
}
