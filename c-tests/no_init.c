/* Before FCGX_Init, Accept_r fails; OpenSocket, InitRequest and Finish work. */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    int sock = FCGX_OpenSocket(SOCKET_PATH, 5);
    int client;

    printf("OpenSocket %d\n", sock >= 0);
    printf("InitRequest %d\n", FCGX_InitRequest(&request, sock, 0));
    printf("Accept_r fails %d\n", FCGX_Accept_r(&request) < 0);
    FCGX_Finish_r(&request);
    printf("Init %d\n", FCGX_Init());
    printf("Init again %d\n", FCGX_Init());
    client = request_here("");
    printf("Accept_r %d\n", FCGX_Accept_r(&request));
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
