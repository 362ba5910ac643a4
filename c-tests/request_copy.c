/* A request structure that is copied by value before Accept, and one on the heap. */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request original, copy, *allocated = calloc(1, sizeof *allocated);
    int sock = listen_here();
    int client;

    FCGX_InitRequest(&original, sock, 0);
    copy = original;
    client = request_here("");
    printf("copy: accept %d\n", FCGX_Accept_r(&copy));
    FCGX_PutS("copy", copy.out);
    FCGX_Finish_r(&copy);
    print_reply(client);

    FCGX_InitRequest(allocated, sock, 0);
    client = request_here("");
    printf("allocated: accept %d\n", FCGX_Accept_r(allocated));
    FCGX_PutS("allocated", allocated->out);
    FCGX_Finish_r(allocated);
    print_reply(client);
    free(allocated);
    return 0;
}
