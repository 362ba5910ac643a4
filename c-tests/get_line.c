/* FCGX_GetLine: like fgets. */
#include "fcgi_client.h"

static void line(FCGX_Stream *in, int n)
{
    char buffer[40];
    char *got;

    memset(buffer, '#', sizeof buffer);
    got = FCGX_GetLine(buffer, n, in);
    printf("GetLine(%d): ", n);
    if (got == NULL)
        printf("NULL, buffer %s", buffer[0] == '#' ? "untouched" : "changed");
    else
        print_bytes((unsigned char *)buffer, strlen(buffer) + 1);
    printf("%s, seen %d\n", got == NULL || got == buffer ? "" : " elsewhere", FCGX_HasSeenEOF(in));
}

int main(void)
{
    FCGX_Request request;
    int client;

    FCGX_InitRequest(&request, listen_here(), 0);
    client = connect_here();
    send_head(client, 1, FCGI_RESPONDER, 0);
    send_text(client, FCGI_STDIN, 1, "unix\ndos\r\n\nlong line here\ntwo ");
    send_text(client, FCGI_STDIN, 1, "records\nlast");
    send_end(client, FCGI_STDIN, 1);
    send_no_more(client);
    FCGX_Accept_r(&request);
    line(request.in, 40);
    line(request.in, 40);
    line(request.in, 40);
    line(request.in, 5);
    line(request.in, 1);
    line(request.in, 2);
    line(request.in, 10);
    line(request.in, 40);
    line(request.in, 40);
    line(request.in, 40);
    line(request.in, 40);
    line(request.in, 40);
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
