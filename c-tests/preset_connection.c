/* A program that has made the connection itself puts it into ipcFd. */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    int pair[2];
    char body[20];
    int got;

    FCGX_Init();
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        die("socketpair");
    FCGX_InitRequest(&request, -1, 0);
    request.ipcFd = pair[0];
    request.keepConnection = 1;
    send_head(pair[1], 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
    send_text(pair[1], FCGI_STDIN, 1, "one");
    send_end(pair[1], FCGI_STDIN, 1);
    printf("accept %d\n", FCGX_Accept_r(&request));
    got = FCGX_GetStr(body, sizeof body, request.in);
    printf("body \"%.*s\", ipcFd as set %d\n", got, body, request.ipcFd == pair[0]);
    FCGX_Finish_r(&request);
    print_request_reply(pair[1]);
    send_request(pair[1], "two");
    send_no_more(pair[1]);
    printf("accept %d\n", FCGX_Accept_r(&request));
    got = FCGX_GetStr(body, sizeof body, request.in);
    printf("body \"%.*s\", keepConnection %d\n", got, body, request.keepConnection);
    FCGX_Finish_r(&request);
    printf("ipcFd %d, closed %d\n", request.ipcFd, !is_open(pair[0]));
    print_reply(pair[1]);
    return 0;
}
