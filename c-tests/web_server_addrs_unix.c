/* FCGI_WEB_SERVER_ADDRS does not affect peers on a unix socket. */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    int client;

    setenv("FCGI_WEB_SERVER_ADDRS", "10.9.9.9", 1);
    FCGX_InitRequest(&request, listen_here(), 0);
    client = request_here("");
    printf("accept %d\n", FCGX_Accept_r(&request));
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
