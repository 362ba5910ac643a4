/* A request's parameters are the process's environment after FCGI_Accept, but not its settings. */
#define NO_FCGI_DEFINES
#include "settings.h"

#include <fcgi_stdio.h>

static void serve_one(void)
{
    int refused = request_from("127.0.0.2"), client = request_from("127.0.0.1");
    char body[20];
    int result = FCGI_Accept();

    printf("accept %d, from %s\n", result, result == 0 ? FCGI_fgets(body, sizeof body, FCGI_stdin) : "");
    printf("FCGI_WEB_SERVER_ADDRS=%s\n", result == 0 ? getenv("FCGI_WEB_SERVER_ADDRS") : "");
    close(refused);
    close(client);
}

int main(void)
{
    alarm(60);
    set_own_settings();
    if (dup2(listen_tcp(), 0) != 0)
        die("the listen socket");
    /* The first call initialises the library. */
    serve_one();
    OS_LibInit(NULL);
    show_settings("in a request");
    serve_one();
    FCGX_Init();
    OS_LibInit(NULL);
    show_settings("in the next");
    FCGI_Finish();
    show_settings("after it");
    serve_one();
    return 0;
}
