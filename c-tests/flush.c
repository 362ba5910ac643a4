/* FCGX_FFlush sends what is buffered, and never an empty record, which would end the stream. */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    int client;

    FCGX_InitRequest(&request, listen_here(), 0);
    client = request_here("");
    FCGX_Accept_r(&request);
    printf("empty flush %d\n", FCGX_FFlush(request.out));
    printf("empty flush of err %d\n", FCGX_FFlush(request.err));
    print_arrived(client);
    FCGX_PutS("one", request.out);
    printf("written, not flushed\n");
    print_arrived(client);
    printf("flush %d\n", FCGX_FFlush(request.out));
    print_arrived(client);
    printf("flush again %d\n", FCGX_FFlush(request.out));
    print_arrived(client);
    FCGX_PutS("log", request.err);
    FCGX_PutS("two", request.out);
    printf("flush of err %d\n", FCGX_FFlush(request.err));
    print_arrived(client);
    printf("flush of in %d\n", FCGX_FFlush(request.in));
    FCGX_Finish_r(&request);
    printf("finish\n");
    print_reply(client);
    return 0;
}
