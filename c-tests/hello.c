/* The smallest program: accept, write, finish. */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    int client;

    FCGX_InitRequest(&request, listen_here(), 0);
    client = request_here("");
    printf("accept %d\n", FCGX_Accept_r(&request));
    FCGX_PutS("Content-Type: text/plain\r\n\r\nHello", request.out);
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
