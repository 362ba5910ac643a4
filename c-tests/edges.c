/*
 * Arguments that make no sense: nothing crashes, nothing is written out of bounds, nothing is lost.
 * differs: API edges
 */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    char buffer[4] = "####";
    int client;

    FCGX_FreeStream(NULL);
    FCGX_InitRequest(&request, listen_here(), 0);
    client = request_here("text");
    FCGX_Accept_r(&request);
    FCGX_GetLine(buffer, 0, request.in);
    FCGX_GetLine(buffer, -1, request.in);
    printf("buffer untouched: %d\n", memcmp(buffer, "####", 4) == 0);
    printf("next %c\n", FCGX_GetChar(request.in));
    FCGX_PutStr("nothing of this", -1, request.out);
    FCGX_PutS("answer", request.out);
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
