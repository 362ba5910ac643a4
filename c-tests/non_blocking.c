/* A listen socket that the program makes non-blocking at any time: Accept returns -EAGAIN when no
 * client is there. */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    int sock = listen_here();
    int client, result;

    FCGX_InitRequest(&request, sock, 0);
    client = request_here("");
    printf("blocking: %d\n", FCGX_Accept_r(&request));
    FCGX_Finish_r(&request);
    print_reply(client);
    fcntl(sock, F_SETFL, O_NONBLOCK);
    result = FCGX_Accept_r(&request);
    printf("nobody there: %s, descriptor %d\n", result == -EAGAIN ? "-EAGAIN" : "other",
           request.ipcFd);
    client = request_here("");
    printf("somebody there: %d\n", FCGX_Accept_r(&request));
    FCGX_Finish_r(&request);
    print_reply(client);
    result = FCGX_Accept_r(&request);
    printf("nobody there: %s\n", result == -EAGAIN ? "-EAGAIN" : "other");
    return 0;
}
