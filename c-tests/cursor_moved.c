/* Programs that move rdNext and wrNext themselves and call the procedures directly. */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    FCGX_Stream *in, *out;
    char text[20];
    int client, got;

    FCGX_InitRequest(&request, listen_here(), 0);
    client = request_here("skipped, read");
    FCGX_Accept_r(&request);
    in = request.in;
    out = request.out;

    in->fillBuffProc(in);
    printf("filled %ld: %.*s\n", (long)(in->stop - in->rdNext), 7, (char *)in->rdNext);
    in->rdNext += 9;
    got = FCGX_GetStr(text, 20, in);
    printf("the rest: %.*s\n", got, text);

    memcpy(out->wrNext, "by hand", 7);
    out->wrNext += 7;
    FCGX_PutS(", then PutS", out);
    out->wrNext -= 1;
    out->emptyBuffProc(out, 0);
    print_arrived(client);
    memcpy(out->wrNext, "more", 4);
    out->wrNext += 4;
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
