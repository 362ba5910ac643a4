/*
 * differs: Connection that the program makes non-blocking
 *
 * Streams still wait, because an error in the middle would cut off the body or the response.
 */
#include "fcgi_client.h"

#include <signal.h>

static char large[3000000];

int main(void)
{
    FCGX_Request request;
    int client;
    pid_t peer;

    FCGX_InitRequest(&request, listen_here(), 0);
    client = connect_here();
    send_head(client, 1, FCGI_RESPONDER, 0);
    FCGX_Accept_r(&request);
    fcntl(request.ipcFd, F_SETFL, O_NONBLOCK);
    fflush(stdout);
    peer = fork();
    if (peer == 0) {
        /* The body comes while the program waits for it. The response is read while the socket is
         * full. */
        usleep(50000);
        send_text(client, FCGI_STDIN, 1, "x");
        send_end(client, FCGI_STDIN, 1);
        send_no_more(client);
        usleep(50000);
        print_reply(client);
        fflush(stdout);
        _exit(0);
    }
    printf("read: %d\n", FCGX_GetChar(request.in));
    printf("written: %d\n", FCGX_PutStr(large, sizeof large, request.out));
    fflush(stdout);
    close(client);
    FCGX_Finish_r(&request);
    print_child_end("peer", peer);
    return 0;
}
