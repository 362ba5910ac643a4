/* FCGX_FClose sends the data and the end record immediately, and END_REQUEST with the second
 * writer. An unused err stream sends nothing. */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    int client;

    FCGX_InitRequest(&request, listen_here(), 0);
    client = request_here("");
    FCGX_Accept_r(&request);
    printf("writers %d\n", request.nWriters);
    FCGX_PutS("out", request.out);
    printf("close out %d\n", FCGX_FClose(request.out));
    print_arrived(client);
    printf("writers %d\n", request.nWriters);
    printf("close out again %d", FCGX_FClose(request.out));
    printf(", writes %d", FCGX_PutChar('a', request.out));
    printf(" %d", FCGX_PutStr("ab", 2, request.out));
    printf(" %d", FCGX_PutS("ab", request.out));
    printf(" %d", FCGX_FPrintF(request.out, "%d", 1));
    printf(", flush %d\n", FCGX_FFlush(request.out));
    printf("writers %d\n", request.nWriters);
    FCGX_PutS("log", request.err);
    printf("close err %d\n", FCGX_FClose(request.err));
    print_arrived(client);
    printf("writers %d, connection open %d\n", request.nWriters, is_open(request.ipcFd));
    printf("close in %d", FCGX_FClose(request.in));
    printf(", reads %d", FCGX_GetChar(request.in));
    printf(" %d", FCGX_UnGetChar('a', request.in));
    printf(", seen %d\n", FCGX_HasSeenEOF(request.in));
    FCGX_Finish_r(&request);
    print_reply(client);

    printf("unused err closed first\n");
    client = request_here("");
    FCGX_Accept_r(&request);
    printf("close err %d\n", FCGX_FClose(request.err));
    print_arrived(client);
    printf("close out %d\n", FCGX_FClose(request.out));
    print_arrived(client);
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
