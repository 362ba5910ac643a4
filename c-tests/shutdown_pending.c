/* After FCGX_ShutdownPending the current request is completed, and every later Accept fails. */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request, other;
    int sock = listen_here();
    int client;

    FCGX_InitRequest(&request, sock, 0);
    FCGX_InitRequest(&other, sock, 0);
    client = request_here("body");
    FCGX_Accept_r(&request);
    FCGX_ShutdownPending();
    FCGX_PutS("complete", request.out);
    FCGX_Finish_r(&request);
    print_reply(client);
    client = request_here("not answered");
    printf("fails %d", FCGX_Accept_r(&request) < 0);
    printf(" %d", FCGX_Accept_r(&request) < 0);
    printf(" %d", FCGX_Accept_r(&other) < 0);
    FCGX_Init();
    printf(" %d\n", FCGX_Accept_r(&request) < 0);
    print_arrived(client);
    return 0;
}
