/*
 * "[v6]:port" is an IPv6 address to listen on and to connect to, not a file name.
 * differs: IPv6 address, `[::1]:9000`
 */
#include "fcgi_client.h"

#include <fcgios.h>
#include <netinet/in.h>

int main(void)
{
    FCGX_Request request;
    struct sockaddr_in6 address;
    socklen_t length = sizeof address;
    char name[40], body[20];
    int sock, client, got;

    FCGX_Init();
    sock = FCGX_OpenSocket("[::1]:0", 5);
    memset(&address, 0, sizeof address);
    getsockname(sock, (struct sockaddr *)&address, &length);
    printf("IPv6: %d, a file: %d\n", address.sin6_family == AF_INET6, access("[::1]:0", F_OK) == 0);
    if (address.sin6_family != AF_INET6)
        return 1;
    sprintf(name, "[::1]:%d", ntohs(address.sin6_port));
    client = OS_FcgiConnect(name);
    printf("connected %d\n", client >= 0);
    send_request(client, "through IPv6");
    send_no_more(client);
    FCGX_InitRequest(&request, sock, 0);
    printf("accept %d\n", FCGX_Accept_r(&request));
    got = FCGX_GetStr(body, sizeof body, request.in);
    printf("%.*s\n", got, body);
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
