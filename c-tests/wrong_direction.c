/* Reading from a writer and writing to a reader fail and change nothing else. */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    char text[10];
    int client, got;

    FCGX_InitRequest(&request, listen_here(), 0);
    client = request_here("body");
    FCGX_Accept_r(&request);
    printf("read a writer: %d", FCGX_GetChar(request.out));
    printf(" %d", FCGX_GetStr(text, 5, request.out));
    printf(" %s", FCGX_GetLine(text, 5, request.out) == NULL ? "NULL" : "a line");
    printf(" %d", FCGX_UnGetChar('a', request.out));
    printf(" %d\n", FCGX_HasSeenEOF(request.out));
    printf("write a reader: %d", FCGX_PutChar('a', request.in));
    printf(" %d", FCGX_PutStr("ab", 2, request.in));
    printf(" %d", FCGX_PutS("ab", request.in));
    printf(" %d", FCGX_FPrintF(request.in, "%d", 1));
    printf(" %d\n", FCGX_FFlush(request.in));
    printf("errors %d %d\n", FCGX_GetError(request.in), FCGX_GetError(request.out));
    got = FCGX_GetStr(text, 10, request.in);
    printf("body %d \"%.*s\"\n", got, got, text);
    FCGX_PutS("fine", request.out);
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
