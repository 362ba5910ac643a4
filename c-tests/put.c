/* The return values of the writing functions, and the arrival of all bytes in order. */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    char *large = malloc(100000);
    int client, i;

    FCGX_InitRequest(&request, listen_here(), 0);
    client = request_here("");
    FCGX_Accept_r(&request);
    printf("PutChar %d", FCGX_PutChar('a', request.out));
    printf(" %d", FCGX_PutChar(0, request.out));
    printf(" %d\n", FCGX_PutChar(0x1ff, request.out));
    printf("PutStr %d", FCGX_PutStr("bcd", 2, request.out));
    printf(" %d", FCGX_PutStr("\0\n", 2, request.out));
    printf(" %d\n", FCGX_PutStr("x", 0, request.out));
    printf("PutS %d", FCGX_PutS("efg", request.out));
    printf(" %d\n", FCGX_PutS("", request.out));
    printf("PutS on err %d\n", FCGX_PutS("to the log", request.err));
    FCGX_Finish_r(&request);
    print_reply(client);

    client = request_here("");
    FCGX_Accept_r(&request);
    for (i = 0; i < 100000; i++)
        large[i] = (char)(i % 253);
    for (i = 0; i < 1000; i++)
        FCGX_PutChar(i, request.out);
    printf("PutStr %d\n", FCGX_PutStr(large, 100000, request.out));
    printf("PutStr %d\n", FCGX_PutStr(large, 7000, request.out));
    printf("PutStr %d\n", FCGX_PutStr(large, 5000, request.out));
    FCGX_Finish_r(&request);
    print_reply(client);

    client = request_here("");
    FCGX_Accept_r(&request);
    printf("PutStr on err %d\n", FCGX_PutStr(large, 20000, request.err));
    FCGX_Finish_r(&request);
    print_reply(client);
    free(large);
    return 0;
}
