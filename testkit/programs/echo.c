/*
 * A FastCGI program that reports each request that it gets. Usage: echo SOCKET-PATH
 *
 * The answer lists the parameters, one per line, then the body and the stream's error code.
 * Parameters that change this:
 *   READ=n     read only n bytes of the body
 *   STATUS=n   exit status
 *   LOG=text   write the text to the error stream
 *   SIZE=n     answer with n bytes 'x' instead
 */
#include <fcgiapp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int number(FCGX_Request *request, const char *name, int otherwise)
{
    const char *value = FCGX_GetParam(name, request->envp);

    return value == NULL ? otherwise : atoi(value);
}

/* Copies the rest of the input, at most `limit` bytes. */
static void copy_input(FCGX_Request *request, const char *name, int limit)
{
    char buffer[1000];
    int got = 1;

    FCGX_FPrintF(request->out, "%s: ", name);
    while (limit > 0 && got > 0) {
        got = FCGX_GetStr(buffer, limit < 1000 ? limit : 1000, request->in);
        FCGX_PutStr(buffer, got, request->out);
        limit -= got;
    }
    FCGX_FPrintF(request->out, "\nerror: %d\n", FCGX_GetError(request->in));
}

static void tell(FCGX_Request *request)
{
    int i;

    for (i = 0; request->envp[i] != NULL; i++)
        FCGX_FPrintF(request->out, "%s\n", request->envp[i]);
    copy_input(request, "body", number(request, "READ", 1 << 30));
    if (strcmp(request->envp[0], "FCGI_ROLE=FILTER") == 0) {
        FCGX_FPrintF(request->out, "StartFilterData: %d\n", FCGX_StartFilterData(request->in));
        copy_input(request, "data", 1 << 30);
    }
}

int main(int argc, char **argv)
{
    FCGX_Request request;
    int sock, size;

    if (argc != 2 || FCGX_Init() != 0)
        return 2;
    sock = FCGX_OpenSocket(argv[1], 64);
    if (sock < 0 || FCGX_InitRequest(&request, sock, 0) != 0)
        return 2;
    while (FCGX_Accept_r(&request) == 0) {
        const char *log = FCGX_GetParam("LOG", request.envp);

        if (log != NULL)
            FCGX_PutS(log, request.err);
        if (FCGX_GetParam("STATUS", request.envp) != NULL)
            FCGX_SetExitStatus(number(&request, "STATUS", 0), request.out);
        size = number(&request, "SIZE", -1);
        if (size < 0)
            tell(&request);
        while (size-- > 0)
            FCGX_PutChar('x', request.out);
        FCGX_Finish_r(&request);
    }
    return 0;
}
