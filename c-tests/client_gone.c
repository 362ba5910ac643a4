/* The web server closes the connection: writing fails without SIGPIPE, and the program serves the
 * next request. */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    char *large = calloc(1, 100000);
    int client;

    FCGX_InitRequest(&request, listen_here(), 0);
    client = connect_here();
    send_head(client, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
    FCGX_Accept_r(&request);
    close(client);
    printf("buffered: PutS %d\n", FCGX_PutS("x", request.out));
    printf("FFlush %d", FCGX_FFlush(request.out));
    printf(", error %s", FCGX_GetError(request.out) == EPIPE ? "EPIPE" : "other");
    printf(", closed %d\n", request.out->isClosed);
    printf("FClose %d\n", FCGX_FClose(request.out));
    FCGX_Finish_r(&request);
    printf("descriptor %d\n", request.ipcFd);

    client = connect_here();
    send_head(client, 1, FCGI_RESPONDER, 0);
    FCGX_Accept_r(&request);
    close(client);
    printf("large: PutStr %d", FCGX_PutStr(large, 100000, request.out));
    printf(", error %s\n", FCGX_GetError(request.out) == EPIPE ? "EPIPE" : "other");
    FCGX_Finish_r(&request);

    client = request_here("");
    printf("accept %d\n", FCGX_Accept_r(&request));
    FCGX_PutS("next", request.out);
    FCGX_Finish_r(&request);
    print_reply(client);
    free(large);
    return 0;
}
