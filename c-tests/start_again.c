/*
 * A server that is stopped and started in one process.
 *
 * differs: Starting again in one process: `OS_LibShutdown`, then `FCGX_Init`
 */
#include "fcgi_client.h"

#include <fcgios.h>

static FCGX_Request request;

/* Accepts and serves one request. A client that is already there must not be kept waiting. */
static void serve_one(const char *when)
{
    int client = request_here("");
    int result;

    result = FCGX_Accept_r(&request);
    printf("%s: accept %d\n", when, result);
    if (result == 0) {
        FCGX_PutS("served", request.out);
        FCGX_Finish_r(&request);
        print_reply(client);
    } else {
        close(client);
    }
    fflush(stdout);
}

int main(void)
{
    int sock = listen_here();

    alarm(PATIENCE_MS / 1000);
    FCGX_InitRequest(&request, sock, 0);
    serve_one("at first");

    FCGX_ShutdownPending();
    printf("asked to stop: accept %d\n", FCGX_Accept_r(&request));
    fflush(stdout);
    OS_LibShutdown();
    printf("still: accept %d\n", FCGX_Accept_r(&request));
    fflush(stdout);

    FCGX_Init();
    serve_one("again");

    /* A shutdown request between OS_LibShutdown and FCGX_Init applies after FCGX_Init. */
    OS_LibShutdown();
    FCGX_ShutdownPending();
    FCGX_Init();
    printf("asked in between: accept %d\n", FCGX_Accept_r(&request));
    fflush(stdout);

    /* The settings are read again. */
    OS_LibShutdown();
    setenv("LIBFCGI_MAX_PARAMS_BYTES", "10", 1);
    OS_LibInit(NULL);
    {
        int refused = request_here("");
        int client = connect_here();

        send_begin(client, 1, FCGI_RESPONDER, 0);
        send_end(client, FCGI_PARAMS, 1);
        send_end(client, FCGI_STDIN, 1);
        printf("with a setting: accept %d\n", FCGX_Accept_r(&request));
        FCGX_Finish_r(&request);
        print_reply(refused);
        print_reply(client);
    }
    return 0;
}
