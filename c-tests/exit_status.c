/* FCGX_SetExitStatus sets the status in END_REQUEST, with any stream of the request, until
 * END_REQUEST is sent. */
#include "fcgi_client.h"

static void with_status(FCGX_Request *request, int status, int which)
{
    int client = request_here("");

    FCGX_Accept_r(request);
    FCGX_SetExitStatus(status, which == 0 ? request->in : which == 1 ? request->out : request->err);
    printf("appStatus %d\n", request->appStatus);
    FCGX_Finish_r(request);
    print_reply(client);
}

int main(void)
{
    FCGX_Request request;
    int client;

    FCGX_InitRequest(&request, listen_here(), 0);
    with_status(&request, 1, 1);
    with_status(&request, 200, 0);
    with_status(&request, -3, 2);
    with_status(&request, 0x01020304, 1);
    with_status(&request, 0, 1);

    client = request_here("");
    FCGX_Accept_r(&request);
    FCGX_SetExitStatus(5, request.out);
    FCGX_FClose(request.out);
    FCGX_FClose(request.err);
    FCGX_SetExitStatus(6, request.out);
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
