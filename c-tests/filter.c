/* The Filter role: STDIN up to its end, then FCGX_StartFilterData, then DATA. */
#include "fcgi_client.h"

static void get(const char *what, FCGX_Stream *in, int n)
{
    char text[50];
    int got = FCGX_GetStr(text, n, in);

    printf("%s: %d \"%.*s\", seen %d, error %d\n", what, got, got, text, FCGX_HasSeenEOF(in),
           FCGX_GetError(in));
}

static int filter_request(int id)
{
    int client = connect_here();

    send_head(client, id, FCGI_FILTER, 0);
    send_text(client, FCGI_STDIN, id, "standard input");
    send_end(client, FCGI_STDIN, id);
    send_text(client, FCGI_DATA, id, "the ");
    send_text(client, FCGI_DATA, id, "file");
    send_end(client, FCGI_DATA, id);
    send_no_more(client);
    return client;
}

int main(void)
{
    FCGX_Request request;
    int client;

    FCGX_InitRequest(&request, listen_here(), 0);

    client = filter_request(7);
    FCGX_Accept_r(&request);
    printf("role %d, %s\n", request.role, request.envp[0]);
    get("stdin", request.in, 50);
    printf("StartFilterData %d", FCGX_StartFilterData(request.in));
    printf(", seen %d", FCGX_HasSeenEOF(request.in));
    printf(", UnGetChar %d\n", FCGX_UnGetChar('>', request.in));
    get("data", request.in, 3);
    get("data", request.in, 50);
    printf("StartFilterData again %d", FCGX_StartFilterData(request.in));
    printf(", seen %d, error %d\n", FCGX_HasSeenEOF(request.in), FCGX_GetError(request.in));
    FCGX_PutS("filtered", request.out);
    FCGX_Finish_r(&request);
    print_reply(client);

    printf("too early\n");
    client = filter_request(1);
    FCGX_Accept_r(&request);
    get("stdin", request.in, 8);
    printf("StartFilterData %d", FCGX_StartFilterData(request.in));
    printf(", error %d\n", FCGX_GetError(request.in));
    get("the rest is out of reach", request.in, 2);
    printf("GetChar %d", FCGX_GetChar(request.in));
    FCGX_ClearError(request.in);
    printf(", after ClearError %d\n", FCGX_GetChar(request.in));
    FCGX_Finish_r(&request);
    print_reply(client);

    printf("not a Filter\n");
    client = request_here("");
    FCGX_Accept_r(&request);
    get("stdin", request.in, 8);
    printf("StartFilterData %d", FCGX_StartFilterData(request.in));
    printf(", error %d\n", FCGX_GetError(request.in));
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
