/* The Authorizer role: the request has no body, and the exit status is the response. */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    int client;

    FCGX_InitRequest(&request, listen_here(), 0);
    client = connect_here();
    send_head(client, 1, FCGI_AUTHORIZER, 0);
    send_end(client, FCGI_STDIN, 1);
    send_no_more(client);
    FCGX_Accept_r(&request);
    printf("role %d, %s\n", request.role, request.envp[0]);
    FCGX_PutS("Status: 200 OK\r\nVariable-AUTH: yes\r\n\r\n", request.out);
    FCGX_SetExitStatus(200, request.out);
    FCGX_Finish_r(&request);
    print_reply(client);

    /* The role is there again in the next request, on a new connection. */
    client = request_here("");
    FCGX_Accept_r(&request);
    printf("role %d, %s\n", request.role, request.envp[0]);
    FCGX_SetExitStatus(0, request.out);
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
