/* Finish at unusual times: on NULL, on a fresh request, twice, and by the next Accept while a
 * request is in progress. */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    int first, second;

    FCGX_Finish();
    FCGX_Finish_r(NULL);
    FCGX_InitRequest(&request, listen_here(), 0);
    FCGX_Finish_r(&request);
    printf("fresh: descriptor %d\n", request.ipcFd);

    first = request_here("");
    FCGX_Accept_r(&request);
    FCGX_PutS("first", request.out);
    FCGX_Finish_r(&request);
    printf("in %d out %d err %d paramsPtr %d, descriptor %d\n", request.in != NULL,
           request.out != NULL, request.err != NULL, request.paramsPtr != NULL, request.ipcFd);
    FCGX_Finish_r(&request);
    FCGX_Finish_r(&request);
    print_reply(first);

    first = request_here("");
    second = request_here("");
    FCGX_Accept_r(&request);
    FCGX_PutS("finished by Accept", request.out);
    printf("accept %d\n", FCGX_Accept_r(&request));
    print_reply(first);
    FCGX_Finish_r(&request);
    FCGX_Finish();
    print_reply(second);
    return 0;
}
