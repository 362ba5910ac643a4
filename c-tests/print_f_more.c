/*
 * FCGX_FPrintF supports everything that the C library's printf does.
 * differs: `FCGX_FPrintF`, `FCGI_printf` and their family
 */
#include "fcgi_client.h"

int main(void)
{
    const char *volatile nothing = NULL;
    FCGX_Request request;
    int client;

    FCGX_InitRequest(&request, listen_here(), 0);
    client = request_here("");
    FCGX_Accept_r(&request);
    printf("%d\n", FCGX_FPrintF(request.out, "%zu %hhd %lf|", (size_t)1, -2, 1.5));
    printf("%d\n", FCGX_FPrintF(request.out, "%2$s %1$s|", "second", "first"));
    printf("%d\n", FCGX_FPrintF(request.out, "%s|%300d|%*d|", nothing, 1, 400, 2));
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
