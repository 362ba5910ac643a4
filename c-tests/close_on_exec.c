/*
 * differs: Accepted connection in a program that is executed
 *
 * A program that is executed during a request inherits the connection only if it is passed on
 * purpose.
 */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    int client = 0;
    char command[64];

    FCGX_InitRequest(&request, listen_here(), 0);
    client = request_here("");
    FCGX_Accept_r(&request);
    snprintf(command, sizeof command, "test -e /proc/self/fd/%d", request.ipcFd);
    printf("it has %s\n", system(command) == 0 ? "the connection" : "no connection");
    fcntl(request.ipcFd, F_SETFD, 0);
    printf("it has %s\n", system(command) == 0 ? "the connection" : "no connection");
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
