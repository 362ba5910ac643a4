/*
 * echo.c on fcgi_request.h: the same answers. Usage: echo_requests SOCKET-PATH
 */
#include <fcgi_request.h>
#include <fcgiapp.h>

#include <stdlib.h>
#include <string.h>

static int number(struct FCGX_Request *request, const char *name, int otherwise)
{
    const char *value = FCGX_RequestParam(request, name, NULL);

    return value == NULL ? otherwise : atoi(value);
}

static void put(struct FCGX_Request *request, const char *text)
{
    FCGX_RequestWrite(request, text, strlen(text));
}

/* Copies the rest of the input, at most `limit` bytes. */
static void copy_input(struct FCGX_Request *request, const char *name, int limit)
{
    FCGX_Stream *in = FCGX_RequestStream(request, FCGX_STREAM_IN);
    char buffer[1000];
    ptrdiff_t got = 1;

    put(request, name);
    while (limit > 0 && got > 0) {
        got = FCGX_RequestRead(request, buffer, limit < 1000 ? (size_t)limit : sizeof buffer);
        if (got > 0)
            FCGX_RequestWrite(request, buffer, (size_t)got);
        limit -= (int)got;
    }
    FCGX_FPrintF(FCGX_RequestStream(request, FCGX_STREAM_OUT), "\nerror: %d\n", FCGX_GetError(in));
}

static void tell(struct FCGX_Request *request)
{
    FCGX_Stream *in = FCGX_RequestStream(request, FCGX_STREAM_IN);
    const char *entry;
    size_t i, length;

    for (i = 0; (entry = FCGX_RequestParamAt(request, i, NULL, &length)) != NULL; i++) {
        FCGX_RequestWrite(request, entry, length);
        put(request, "\n");
    }
    copy_input(request, "body: ", number(request, "READ", 1 << 30));
    if (FCGX_RequestInfo(request, FCGX_INFO_ROLE) == 3) {
        FCGX_FPrintF(FCGX_RequestStream(request, FCGX_STREAM_OUT), "StartFilterData: %d\n",
                     FCGX_StartFilterData(in));
        copy_input(request, "data: ", 1 << 30);
    }
}

int main(int argc, char **argv)
{
    struct FCGX_Request *request;
    int sock, size;

    if (argc != 2 || (sock = FCGX_Listen(argv[1], 64)) < 0)
        return 2;
    request = FCGX_RequestNew(sock, 0);
    while (FCGX_RequestNext(request, -1) == 1) {
        size_t length;
        const char *log = FCGX_RequestParam(request, "LOG", &length);

        if (log != NULL)
            FCGX_RequestLog(request, log, length);
        size = number(request, "SIZE", -1);
        if (size < 0)
            tell(request);
        while (size-- > 0)
            put(request, "x");
        FCGX_RequestEnd(request, number(request, "STATUS", 0));
    }
    FCGX_RequestFree(request);
    return 0;
}
