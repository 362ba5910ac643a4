/*
 * Everything that allocates, then OS_LibShutdown: nothing of the library's may be left. Prints the
 * number of requests served.
 */
#include <fcgiapp.h>
#include <fcgios.h>

#include "fcgi_client.h"

static int served;

static void serve_one(FCGX_Request *request)
{
    char buffer[100];

    if (FCGX_Accept_r(request) != 0)
        die("accept");
    while (FCGX_GetStr(buffer, sizeof buffer, request->in) > 0)
        ;
    FCGX_FPrintF(request->out, "%s %10000d", FCGX_GetParam("SCRIPT_NAME", request->envp), 7);
    FCGX_PutS("log", request->err);
    FCGX_Finish_r(request);
    served++;
}

/* A kept connection with two requests, and one that is closed while it is idle. */
static void kept(FCGX_Request *request)
{
    struct reply reply = { NULL, 0, 0 };
    int i, fd = connect_here();

    for (i = 0; i < 2; i++) {
        send_head(fd, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
        send_end(fd, FCGI_STDIN, 1);
        serve_one(request);
        reply_read_request(fd, &reply);
        free(reply.bytes);
        memset(&reply, 0, sizeof reply);
    }
    close(fd);
}

static void writers(void)
{
    int fds[2];
    FCGX_Stream *stream;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
        die("socketpair");
    stream = FCGX_CreateWriter(fds[0], 1, 1000, FCGI_STDIN);
    FCGX_PutS("text", stream);
    FCGX_FClose(stream);
    FCGX_FreeStream(&stream);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    FCGX_Request request;
    int fd, i, socket_fd;

    socket_fd = listen_here();
    FCGX_InitRequest(&request, socket_fd, 0);
    for (i = 0; i < 3; i++) {
        fd = request_here("the body");
        serve_one(&request);
        close(fd);
        kept(&request);
    }
    FCGX_Free(&request, 1);
    writers();
    OS_LibShutdown();
    close(socket_fd);
    printf("%d requests\n", served);
    return 0;
}
