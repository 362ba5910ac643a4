/* FCGX_GetStr waits for n bytes and returns fewer only at the end of the stream. */
#include "fcgi_client.h"

static void get(FCGX_Stream *in, int n)
{
    char buffer[100];
    int got;

    memset(buffer, '#', sizeof buffer);
    got = FCGX_GetStr(buffer, n, in);
    printf("GetStr(%d): %d \"%.*s\"%s, seen %d\n", n, got, got, buffer,
           buffer[got] == '#' ? "" : " and more", FCGX_HasSeenEOF(in));
}

int main(void)
{
    FCGX_Request request;
    char *large = malloc(150000);
    int client, i, got;

    FCGX_InitRequest(&request, listen_here(), 0);
    client = connect_here();
    send_head(client, 1, FCGI_RESPONDER, 0);
    for (i = 0; i < 10; i++)
        send_text(client, FCGI_STDIN, 1, "ab");
    send_end(client, FCGI_STDIN, 1);
    send_no_more(client);
    FCGX_Accept_r(&request);
    get(request.in, 0);
    get(request.in, -1);
    get(request.in, 1);
    get(request.in, 2);
    get(request.in, 7);
    get(request.in, 10);
    get(request.in, 1);
    get(request.in, 0);
    FCGX_Finish_r(&request);
    print_reply(client);

    /* A short read at the end sees the end in the same call. */
    client = request_here("short");
    FCGX_Accept_r(&request);
    get(request.in, 50);
    FCGX_Finish_r(&request);
    print_reply(client);

    /* More than any buffer holds, in two reads. */
    client = connect_here();
    send_head(client, 1, FCGI_RESPONDER, 0);
    for (i = 0; i < 150000; i++)
        large[i] = (char)(i % 251);
    for (i = 0; i < 3; i++)
        send_record(client, FCGI_STDIN, 1, large + i * 50000, 50000);
    send_end(client, FCGI_STDIN, 1);
    send_no_more(client);
    FCGX_Accept_r(&request);
    memset(large, 0, 150000);
    got = FCGX_GetStr(large, 70001, request.in);
    print_bytes((unsigned char *)large, (size_t)got);
    got = FCGX_GetStr(large, 150000, request.in);
    printf("\n");
    print_bytes((unsigned char *)large, (size_t)got);
    printf("\n");
    FCGX_Finish_r(&request);
    print_reply(client);
    free(large);
    return 0;
}
