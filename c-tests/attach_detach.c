/* FCGX_Attach and FCGX_Detach in any state, and a detached request that is finished. */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    int client;

    memset(&request, 0, sizeof request);
    printf("zeroed: detach %d\n", FCGX_Detach(&request));
    FCGX_InitRequest(&request, listen_here(), 0);
    printf("fresh: attach %d", FCGX_Attach(&request));
    printf(", detach %d", FCGX_Detach(&request));
    printf(", detached %d\n", request.detached);

    client = request_here("");
    FCGX_Accept_r(&request);
    printf("accepted: detach %d", FCGX_Detach(&request));
    printf(", detached %d\n", request.detached);
    FCGX_PutS("from a detached request", request.out);
    FCGX_Finish_r(&request);
    print_reply(client);

    client = request_here("");
    FCGX_Accept_r(&request);
    printf("next: detached %d", request.detached);
    printf(", detach %d", FCGX_Detach(&request));
    printf(", attach %d", FCGX_Attach(&request));
    printf(", detached %d\n", request.detached);
    FCGX_PutS("attached again", request.out);
    FCGX_Finish_r(&request);
    print_reply(client);
    printf("finished: attach %d", FCGX_Attach(&request));
    printf(", detach %d\n", FCGX_Detach(&request));
    return 0;
}
