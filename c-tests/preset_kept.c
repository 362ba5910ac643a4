/* A kept connection of the program's own: without a listen socket, Accept waits for this connection
 * only. */
#include "fcgi_client.h"

/* Runs the web server, which sends each request after the response to the previous one. */
static void ask(int fd, int requests)
{
    int i;

    for (i = 0; i < requests; i++) {
        struct reply reply = { NULL, 0, 0 };

        send_head(fd, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
        send_end(fd, FCGI_STDIN, 1);
        if (!reply_read_request(fd, &reply))
            die("no answer");
        free(reply.bytes);
    }
    _exit(0);
}

static void serve(const char *name, int sock)
{
    FCGX_Request request;
    int pair[2], served = 0;
    pid_t child;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        die("socketpair");
    fflush(stdout);
    child = fork();
    if (child == 0) {
        close(pair[0]);
        ask(pair[1], 20);
    }
    close(pair[1]);
    FCGX_InitRequest(&request, sock, 0);
    request.ipcFd = pair[0];
    request.keepConnection = 1;
    while (FCGX_Accept_r(&request) == 0)
        served += FCGX_GetChar(request.in) == -1;
    printf("%s: %d requests, ipcFd %d\n", name, served, request.ipcFd);
    print_child_end("the client", child);
}

int main(void)
{
    FCGX_Init();
    serve("no listen socket", -1);
    serve("a file in its place", open("/dev/null", O_RDWR));
    return 0;
}
