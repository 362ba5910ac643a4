/* FCGX_GetError and FCGX_ClearError on input that breaks the protocol. The response is not
 * affected. */
#include "fcgi_client.h"

static void broken(FCGX_Request *request, const char *what, const void *tail, size_t length)
{
    int client = connect_here(), got;
    char text[50];

    send_head(client, 1, FCGI_RESPONDER, 0);
    send_text(client, FCGI_STDIN, 1, "whole");
    send_bytes(client, tail, length);
    send_no_more(client);
    FCGX_Accept_r(request);
    got = FCGX_GetStr(text, 5, request->in);
    printf("%s: %d, error %d\n", what, got, FCGX_GetError(request->in));
    got = FCGX_GetStr(text, 50, request->in);
    printf("%d \"%.*s\", error %d, seen %d\n", got, got, text, FCGX_GetError(request->in),
           FCGX_HasSeenEOF(request->in));
    printf("StartFilterData %d", FCGX_StartFilterData(request->in));
    printf(", the first error stays: %d\n", FCGX_GetError(request->in));
    printf("FClose %d", FCGX_FClose(request->in));
    FCGX_ClearError(request->in);
    printf(", after ClearError %d", FCGX_GetError(request->in));
    printf(", read %d\n", FCGX_GetChar(request->in));
    FCGX_PutS("answer", request->out);
    FCGX_Finish_r(request);
    print_reply(client);
}

int main(void)
{
    FCGX_Request request;

    FCGX_InitRequest(&request, listen_here(), 0);
    broken(&request, "cut in the content", "\1\5\0\1\0\12\0\0part", 12);
    broken(&request, "cut in the header", "\1\5\0\1", 4);
    broken(&request, "no end of stream", "", 0);
    broken(&request, "another version", "\2\5\0\1\0\4\0\0text", 12);
    return 0;
}
