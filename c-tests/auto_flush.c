/* A program that streams: the web server receives the first bytes before Finish, once about 8 KB
 * are written. */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    char line[1024];
    int client, i, arrived = 0;

    memset(line, 'x', sizeof line);
    FCGX_InitRequest(&request, listen_here(), 0);
    client = request_here("");
    FCGX_Accept_r(&request);
    for (i = 0; i < 7; i++)
        FCGX_PutStr(line, sizeof line, request.out);
    printf("after 7 KB: %s\n", fd_is_readable(client, 0) ? "something" : "nothing");
    for (i = 0; i < 60 && !arrived; i++) {
        FCGX_PutStr(line, sizeof line, request.out);
        arrived = fd_is_readable(client, 0);
    }
    printf("after 67 KB at most: %s\n", arrived ? "something" : "nothing");
    FCGX_Finish_r(&request);
    close(client);
    return 0;
}
