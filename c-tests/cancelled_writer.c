/*
 * A thread is cancelled while it waits for a web server that does not read. Other threads continue
 * with its request: they write the err stream, finish the request and serve the next one.
 */
#include "two_threads.h"

static void *read_late(void *fd)
{
    read_records(*(int *)fd);
    return NULL;
}

static int is_writable(int fd)
{
    struct pollfd writable = { fd, POLLOUT, 0 };

    return poll(&writable, 1, 0) == 1;
}

int main(void)
{
    FCGX_Request request;
    pthread_t writer, client;
    void *result;
    int sock = listen_here(), fd = connect_here(), next;

    send_request(fd, "");
    FCGX_InitRequest(&request, sock, 0);
    if (FCGX_Accept_r(&request) != 0)
        die("Accept_r");
    pthread_create(&writer, NULL, write_out, request.out);
    while (is_writable(request.ipcFd))
        ;
    pthread_cancel(writer);
    pthread_join(writer, &result);
    printf("cancelled: %d\n", result == PTHREAD_CANCELED);
    pthread_create(&client, NULL, read_late, &fd);
    FCGX_PutS("the writer is gone", request.err);
    FCGX_FFlush(request.err);
    FCGX_Finish_r(&request);
    pthread_join(client, NULL);
    close(fd);

    next = request_here("");
    printf("next: %d\n", FCGX_Accept_r(&request));
    FCGX_PutS("served", request.out);
    FCGX_Finish_r(&request);
    print_reply(next);
    return 0;
}
