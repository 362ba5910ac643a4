/*
 * A thread writes to a web server that does not read, until the program's own send timeout expires.
 * Meanwhile another thread reads management records, and the replies to them have to wait. The next
 * request's response contains none of these replies.
 */
#include "two_threads.h"

#include <sys/time.h>

static int is_writable(int fd)
{
    struct pollfd writable = { fd, POLLOUT, 0 };

    return poll(&writable, 1, 0) == 1;
}

int main(void)
{
    static const char question[] = "\x0f" "\x00" "FCGI_MPXS_CONNS";
    struct timeval limit = { 0, 500000 };
    FCGX_Request request;
    pthread_t writer;
    void *result;
    int sock = listen_here(), fd = connect_here(), next, i;

    send_head(fd, 1, FCGI_RESPONDER, 0);
    for (i = 0; i < 40; i++)
        send_record(fd, FCGI_GET_VALUES, 0, question, sizeof question - 1);
    send_text(fd, FCGI_STDIN, 1, "x");
    FCGX_InitRequest(&request, sock, 0);
    if (FCGX_Accept_r(&request) != 0)
        die("Accept_r");
    if (setsockopt(request.ipcFd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0)
        die("setsockopt");
    pthread_create(&writer, NULL, write_out, request.out);
    while (is_writable(request.ipcFd))
        ;
    FCGX_GetChar(request.in);
    pthread_join(writer, &result);
    printf("%s\n", (char *)result);
    close(fd);
    FCGX_Finish_r(&request);

    next = request_here("");
    printf("next: %d\n", FCGX_Accept_r(&request));
    for (i = 0; i < 3; i++) {
        FCGX_PutS("served\n", request.out);
        FCGX_FFlush(request.out);
    }
    FCGX_Finish_r(&request);
    print_reply(next);
    return 0;
}
