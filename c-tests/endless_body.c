/* An endless body that the program does not read: its response and the next one arrive. */
#include "fcgi_client.h"
#include <signal.h>
#include <sys/wait.h>

static void send_for_ever(int client)
{
    char *piece = calloc(1, 30000);

    for (;;)
        send_record(client, FCGI_STDIN, 1, piece, 30000);
}

/* Runs a web server that sends and receives at the same time. */
static void ask(void)
{
    int client = connect_here();
    pid_t sender;

    send_head(client, 1, FCGI_RESPONDER, 0);
    sender = fork();
    if (sender == 0)
        send_for_ever(client);
    print_request_reply(client);
    kill(sender, SIGKILL);
    waitpid(sender, NULL, 0);
    close(client);
    fflush(stdout);
    _exit(0);
}

int main(void)
{
    FCGX_Request request;
    pid_t server;
    int client;

    FCGX_InitRequest(&request, listen_here(), 0);
    fflush(stdout);
    server = fork();
    if (server == 0)
        ask();
    FCGX_Accept_r(&request);
    FCGX_PutS("answered", request.out);
    FCGX_Finish_r(&request);
    print_child_end("web server", server);

    client = request_here("");
    FCGX_Accept_r(&request);
    FCGX_PutS("next", request.out);
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
