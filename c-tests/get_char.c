/* FCGX_GetChar and FCGX_HasSeenEOF: bytes of any value, and end of file only after a read has met
 * it. */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    int client, c, i;

    FCGX_InitRequest(&request, listen_here(), 0);
    client = connect_here();
    send_head(client, 1, FCGI_RESPONDER, 0);
    send_record(client, FCGI_STDIN, 1, "a\0\xff\n", 4);
    send_end(client, FCGI_STDIN, 1);
    send_no_more(client);
    FCGX_Accept_r(&request);
    printf("seen before any read: %d\n", FCGX_HasSeenEOF(request.in));
    for (i = 0; i < 6; i++) {
        c = FCGX_GetChar(request.in);
        printf("%d, seen %d\n", c, FCGX_HasSeenEOF(request.in));
    }
    printf("error %d\n", FCGX_GetError(request.in));
    FCGX_Finish_r(&request);
    print_reply(client);

    /* An empty body: its end is not seen before the first read. */
    client = request_here("");
    FCGX_Accept_r(&request);
    printf("seen before any read: %d\n", FCGX_HasSeenEOF(request.in));
    c = FCGX_GetChar(request.in);
    printf("%d, seen %d, error %d\n", c, FCGX_HasSeenEOF(request.in), FCGX_GetError(request.in));
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
