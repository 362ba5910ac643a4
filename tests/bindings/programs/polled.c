/* Waits for the listen socket by select before it calls Accept. */
#include <fcgiapp.h>

#include <errno.h>
#include <stddef.h>
#include <sys/select.h>

static void put_header(const FCGX_Request *request, const char *header, const char *name)
{
    const char *value = FCGX_GetParam(name, request->envp);

    if (value == NULL)
        return;
    FCGX_PutS(header, request->out);
    FCGX_PutS(": ", request->out);
    FCGX_PutS(value, request->out);
    FCGX_PutS("\r\n", request->out);
}

static void serve(const FCGX_Request *request)
{
    char room[4096];
    int length;

    FCGX_PutS("Content-Type: application/octet-stream\r\n", request->out);
    put_header(request, "X-Method", "REQUEST_METHOD");
    put_header(request, "X-Query", "QUERY_STRING");
    put_header(request, "X-Empty", "EMPTY");
    put_header(request, "X-Long", "LONG");
    FCGX_PutS("\r\n", request->out);
    while ((length = FCGX_GetStr(room, sizeof room, request->in)) > 0)
        FCGX_PutStr(room, length, request->out);
    FCGX_PutS("served\n", request->err);
}

/* After a signal there may be no connection, but Accept knows whether to end. */
static int is_readable(int socket)
{
    fd_set sockets;

    FD_ZERO(&sockets);
    FD_SET(socket, &sockets);
    return select(socket + 1, &sockets, NULL, NULL, NULL) > 0 || errno == EINTR;
}

int main(void)
{
    FCGX_Request request;

    FCGX_Init();
    FCGX_InitRequest(&request, 0, 0);
    while (is_readable(0) && FCGX_Accept_r(&request) == 0) {
        serve(&request);
        FCGX_Finish_r(&request);
    }
    return 0;
}
