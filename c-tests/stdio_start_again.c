/*
 * fcgi_stdio, stopped and started again in one process.
 *
 * differs: Starting again in one process: `OS_LibShutdown`, then `FCGX_Init`
 */
#include "fcgi_client.h"

#include <fcgios.h>
#define NO_FCGI_DEFINES
#include <fcgi_stdio.h>

static void serve_one(const char *when)
{
    int client = request_here("");
    int result = FCGI_Accept();

    printf("%s: accept %d\n", when, result);
    if (result == 0) {
        FCGI_printf("served %s", getenv("SCRIPT_NAME"));
        FCGI_Finish();
        print_reply(client);
    }
    fflush(stdout);
}

int main(void)
{
    int sock = FCGX_OpenSocket(SOCKET_PATH, 16);

    alarm(PATIENCE_MS / 1000);
    if (sock < 0 || dup2(sock, 0) != 0)
        die("the listen socket");
    close(sock);
    serve_one("at first");
    FCGX_ShutdownPending();
    printf("asked to stop: accept %d\n", FCGI_Accept());
    fflush(stdout);
    OS_LibShutdown();
    serve_one("again");
    return 0;
}
