/*
 * The exit status of a request does not carry over to the next one.
 * differs: Exit status
 */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    int client, i;

    FCGX_InitRequest(&request, listen_here(), 0);
    for (i = 0; i < 2; i++) {
        client = request_here("");
        FCGX_Accept_r(&request);
        printf("appStatus %d\n", request.appStatus);
        if (i == 0)
            FCGX_SetExitStatus(5, request.out);
        FCGX_Finish_r(&request);
        print_reply(client);
    }
    return 0;
}
