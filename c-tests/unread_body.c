/* A body that the program does not read: the whole response arrives, even while the body is still
 * being sent. */
#include "fcgi_client.h"

#define PIECES 5

static void send_body(int client)
{
    char *piece = calloc(1, 30000);
    int i;

    for (i = 0; i < PIECES; i++)
        send_record(client, FCGI_STDIN, 1, piece, 30000);
    send_end(client, FCGI_STDIN, 1);
    free(piece);
}

int main(void)
{
    FCGX_Request request;
    int client, i;

    FCGX_InitRequest(&request, listen_here(), 0);
    client = connect_here();
    send_head(client, 1, FCGI_RESPONDER, 0);
    send_body(client);
    send_no_more(client);
    FCGX_Accept_r(&request);
    FCGX_PutS("nothing read", request.out);
    FCGX_Finish_r(&request);
    print_reply(client);

    client = connect_here();
    send_head(client, 1, FCGI_RESPONDER, 0);
    send_body(client);
    send_no_more(client);
    FCGX_Accept_r(&request);
    for (i = 0; i < 100; i++)
        FCGX_GetChar(request.in);
    FCGX_PutS("a little read", request.out);
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
