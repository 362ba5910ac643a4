/* Serves the listen socket on descriptor 0: answers with parameters and the body. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcgi_request.h>

/* Writes a line of the head. Returns 0, or a negative result. */
static ptrdiff_t put_line(struct FCGX_Request *request, const char *name, const char *value, size_t length)
{
    ptrdiff_t result = FCGX_RequestWrite(request, name, strlen(name));

    if (result >= 0) {
        result = FCGX_RequestWrite(request, value, length);
    }
    if (result >= 0) {
        result = FCGX_RequestWrite(request, "\r\n", 2);
    }
    return result < 0 ? result : 0;
}

/* Answers a request and ends it. Returns 0, or a negative result. */
static ptrdiff_t serve(struct FCGX_Request *request)
{
    static char piece[65536];
    static const char line[] = "served by C\n";
    size_t method_length = 0, query_length = 0, value_length = 0, count = 0;
    const char *method = FCGX_RequestParam(request, "REQUEST_METHOD", &method_length);
    const char *query = FCGX_RequestParam(request, "QUERY_STRING", &query_length);
    const char *value = query == NULL ? NULL : FCGX_RequestParam(request, query, &value_length);
    ptrdiff_t result;

    while (FCGX_RequestParamAt(request, count, NULL, NULL) != NULL) {
        count++;
    }
    snprintf(piece, sizeof piece, "%zu", count);

    if ((result = put_line(request, "Content-Type: ", "application/octet-stream", 24)) < 0 ||
        (result = put_line(request, "X-Method: ", method, method_length)) < 0 ||
        (result = put_line(request, "X-Query: ", query, query_length)) < 0 ||
        (result = put_line(request, "X-Params: ", piece, strlen(piece))) < 0 ||
        (value != NULL && (result = put_line(request, "X-Value: ", value, value_length)) < 0) ||
        (result = put_line(request, "", "", 0)) < 0) {
        return result;
    }
    while ((result = FCGX_RequestRead(request, piece, sizeof piece)) > 0) {
        if ((result = FCGX_RequestWrite(request, piece, (size_t) result)) < 0) {
            return result;
        }
    }
    if (result < 0 || (result = FCGX_RequestLog(request, line, sizeof line - 1)) < 0) {
        return result;
    }
    return FCGX_RequestEnd(request, query != NULL && strcmp(query, "status=7") == 0 ? 7 : 0);
}

int main(void)
{
    struct FCGX_Request *request = FCGX_RequestNew(0, FCGX_TAKE_SIGNALS);
    int next;

    if (request == NULL) {
        fputs("echo: out of memory\n", stderr);
        return EXIT_FAILURE;
    }
    while ((next = FCGX_RequestNext(request, -1)) == 1) {
        ptrdiff_t result = serve(request);
        if (result < 0) {
            fprintf(stderr, "echo: %s\n", FCGX_ErrorText((int) result));
            FCGX_RequestEnd(request, EXIT_FAILURE);
        }
    }
    if (next != FCGX_SHUT_DOWN) {
        fprintf(stderr, "echo: %s\n", FCGX_ErrorText(next));
    }
    FCGX_RequestFree(request);
    return next == FCGX_SHUT_DOWN ? EXIT_SUCCESS : EXIT_FAILURE;
}
