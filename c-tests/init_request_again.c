/* FCGX_InitRequest on a request in any state, and in the loop, as many programs call it. */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    int sock = listen_here();
    int client, i, lowest, kept;

    memset(&request, 0x55, sizeof request);
    printf("init %d\n", FCGX_InitRequest(&request, sock, FCGI_FAIL_ACCEPT_ON_INTR));
    printf("requestId %d role %d in %d out %d err %d envp %d paramsPtr %d ipcFd %d\n",
           request.requestId, request.role, request.in != NULL, request.out != NULL,
           request.err != NULL, request.envp != NULL, request.paramsPtr != NULL, request.ipcFd);
    printf("isBeginProcessed %d keepConnection %d appStatus %d nWriters %d flags %d detached %d\n",
           request.isBeginProcessed, request.keepConnection, request.appStatus, request.nWriters,
           request.flags, request.detached);
    printf("listen_sock as given %d\n", request.listen_sock == sock);

    for (i = 0; i < 50; i++) {
        FCGX_InitRequest(&request, sock, 0);
        client = request_here("");
        FCGX_Accept_r(&request);
        FCGX_Finish_r(&request);
        close(client);
    }
    lowest = dup(0);
    printf("descriptors in use are few: %d\n", lowest < 10);
    close(lowest);

    /* The program owns the connection of a kept request from now on. */
    client = connect_here();
    send_head(client, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
    send_end(client, FCGI_STDIN, 1);
    FCGX_Accept_r(&request);
    FCGX_Finish_r(&request);
    kept = request.ipcFd;
    FCGX_InitRequest(&request, sock, 0);
    printf("after init: ipcFd %d, the connection open %d\n", request.ipcFd, is_open(kept));
    close(kept);
    print_reply(client);

    client = request_here("");
    printf("accept %d\n", FCGX_Accept_r(&request));
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
