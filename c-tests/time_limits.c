/* A program limits its waits with SO_RCVTIMEO and SO_SNDTIMEO on the connection. */
#include "fcgi_client.h"

#include <sys/time.h>

static char large[3000000];

static void limit(FCGX_Request *request, int which)
{
    struct timeval time = { 0, 50000 };

    if (setsockopt(request->ipcFd, SOL_SOCKET, which, &time, sizeof time) != 0)
        die("setsockopt");
}

int main(void)
{
    FCGX_Request request;
    int client;

    FCGX_InitRequest(&request, listen_here(), 0);
    client = connect_here();
    send_head(client, 1, FCGI_RESPONDER, 0);
    FCGX_Accept_r(&request);
    limit(&request, SO_RCVTIMEO);
    printf("nothing comes: %d", FCGX_GetChar(request.in));
    printf(", %s\n", strerror(FCGX_GetError(request.in)));
    send_no_more(client);
    FCGX_Finish_r(&request);
    close(client);

    client = request_here("");
    FCGX_Accept_r(&request);
    limit(&request, SO_SNDTIMEO);
    printf("nobody reads: %d", FCGX_PutStr(large, sizeof large, request.out));
    printf(", %s\n", strerror(FCGX_GetError(request.out)));
    FCGX_Finish_r(&request);
    close(client);
    return 0;
}
