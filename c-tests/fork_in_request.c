/* A program forks in the middle of a request. Its child outlives the request and keeps a copy of
 * the connection. */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    int client, ends[2];
    char byte;
    pid_t child;

    FCGX_InitRequest(&request, listen_here(), 0);
    client = request_here("body");
    FCGX_Accept_r(&request);
    if (pipe(ends) != 0)
        die("pipe");
    fflush(stdout);
    child = fork();
    if (child == 0) {
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) == 0 && is_open(request.ipcFd) ? 0 : 1);
    }
    close(ends[0]);
    FCGX_PutS("from the parent", request.out);
    FCGX_Finish_r(&request);
    print_reply(client);
    printf("the child still has its copy\n");
    close(ends[1]);
    print_child_end("child", child);

    /* The other way round: the child finishes, and the parent only closes its copy. */
    client = request_here("body");
    FCGX_Accept_r(&request);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        FCGX_PutS("from the child", request.out);
        FCGX_Finish_r(&request);
        _exit(0);
    }
    print_child_end("child", child);
    FCGX_Free(&request, 0);
    close(request.ipcFd);
    request.ipcFd = -1;
    print_reply(client);
    client = request_here("");
    printf("accept %d\n", FCGX_Accept_r(&request));
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
