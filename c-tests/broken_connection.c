/* Connections that break before the parameters are complete: Accept closes them and goes on to the
 * next one. */
#include "fcgi_client.h"

static void says_nothing(int client)
{
    (void)client;
}

static void half_a_header(int client)
{
    send_bytes(client, "\1\1\0", 3);
}

static void half_a_pair(int client)
{
    send_begin(client, 1, FCGI_RESPONDER, 0);
    send_record(client, FCGI_PARAMS, 1, "\4\5NAMEva", 8);
}

static void value_longer_than_the_stream(int client)
{
    send_begin(client, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
    send_record(client, FCGI_PARAMS, 1, "\4\5NAMEva", 8);
    send_end(client, FCGI_PARAMS, 1);
}

static void another_version(int client)
{
    send_bytes(client, "\2\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0", 16);
}

static void try_it(FCGX_Request *request, const char *what, void (*send_it)(int))
{
    int broken = connect_here(), good;

    send_it(broken);
    send_no_more(broken);
    good = request_here("body");
    printf("%s: accept %d", what, FCGX_Accept_r(request));
    printf(", body %c\n", FCGX_GetChar(request->in));
    FCGX_Finish_r(request);
    print_reply(broken);
    print_reply(good);
}

int main(void)
{
    FCGX_Request request;

    FCGX_InitRequest(&request, listen_here(), 0);
    try_it(&request, "says nothing", says_nothing);
    try_it(&request, "half a header", half_a_header);
    try_it(&request, "half a pair", half_a_pair);
    try_it(&request, "value longer than the stream", value_longer_than_the_stream);
    try_it(&request, "another version", another_version);
    return 0;
}
