/*
 * A negative length writes nothing and does not touch memory outside the stream's buffer.
 * differs: `FCGX_PutStr` with a negative length
 */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    int client;

    FCGX_InitRequest(&request, listen_here(), 0);
    client = request_here("");
    FCGX_Accept_r(&request);
    FCGX_PutS("before ", request.out);
    FCGX_PutStr("nothing of this", -1, request.out);
    FCGX_PutStr("nor of this", -2147483647 - 1, request.out);
    FCGX_PutS("after", request.out);
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
