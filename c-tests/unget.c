/* FCGX_UnGetChar works before the first read and back to the start of the buffered bytes, but never
 * after the end. */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    char text[20];
    int client, got;

    FCGX_InitRequest(&request, listen_here(), 0);
    client = request_here("hello");
    FCGX_Accept_r(&request);

    printf("before any read: %d\n", FCGX_UnGetChar('>', request.in));
    printf("read back: %c\n", FCGX_GetChar(request.in));
    printf("EOF: %d\n", FCGX_UnGetChar(EOF, request.in));

    got = FCGX_GetStr(text, 2, request.in);
    printf("read %.*s\n", got, text);
    printf("back: %d", FCGX_UnGetChar('2', request.in));
    printf(" %d", FCGX_UnGetChar('1', request.in));
    printf(" %d\n", FCGX_UnGetChar('0', request.in));
    got = FCGX_GetStr(text, 20, request.in);
    printf("read %.*s\n", got, text);
    printf("after the end: %d", FCGX_UnGetChar('x', request.in));
    printf(", then %d, seen %d\n", FCGX_GetChar(request.in), FCGX_HasSeenEOF(request.in));
    printf("into a writer: %d\n", FCGX_UnGetChar('x', request.out));
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
