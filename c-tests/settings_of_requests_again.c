/*
 * A library that is stopped and started again while a request's parameters are the process's
 * environment.
 *
 * differs: Starting again while the environment is a request's
 */
#define NO_FCGI_DEFINES
#include "settings.h"

#include <fcgi_stdio.h>

static FCGX_Request request;

static void start_again(void)
{
    OS_LibShutdown();
    FCGX_Init();
    OS_LibInit(NULL);
}

/* Shows which of two clients is accepted now. */
static void serve_one(int sock)
{
    int refused = request_from("127.0.0.2"), client = request_from("127.0.0.1");
    char body[20];
    int got;

    FCGX_InitRequest(&request, sock, 0);
    printf("accept %d", FCGX_Accept_r(&request));
    got = FCGX_GetStr(body, sizeof body, request.in);
    printf(", from %.*s\n", got, body);
    FCGX_Finish_r(&request);
    close(refused);
    close(client);
}

static void with_stdio(int sock)
{
    int client = request_from("127.0.0.1");

    dup2(sock, 0);
    printf("accept %d\n", FCGI_Accept());
    start_again();
    show_settings("in it");
    setenv("CHANGED", "1", 1);
    start_again();
    show_closing("in it, changed");
    FCGI_Finish();
    start_again();
    show_closing("after it");
    close(client);
    serve_one(0);
}

/* Accepts into environ, as former CGI programs do. */
static void with_accept(int sock)
{
    int client = request_from("127.0.0.1");
    FCGX_Stream *in, *out, *err;

    dup2(sock, 0);
    printf("accept %d\n", FCGX_Accept(&in, &out, &err, &environ));
    start_again();
    show_settings("in it");
    setenv("CHANGED", "1", 1);
    start_again();
    show_closing("in it, changed");
    FCGX_Finish();
    start_again();
    show_closing("after it");
    close(client);
    serve_one(0);
}

/* Sets environ itself, as programs with their own request may. */
static void with_a_request(int sock)
{
    int client = request_from("127.0.0.1");
    char **own = environ;

    FCGX_Init();
    FCGX_InitRequest(&request, sock, 0);
    printf("accept %d\n", FCGX_Accept_r(&request));
    environ = request.envp;
    start_again();
    show_settings("in it");
    environ = own;
    FCGX_Finish_r(&request);
    close(client);
    serve_one(sock);
}

static void alone(const char *title, void (*program)(int))
{
    pid_t child;

    printf("%s\n", title);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        alarm(60);
        set_own_settings();
        program(listen_tcp());
        fflush(stdout);
        _exit(0);
    }
    print_child_end(title, child);
}

int main(void)
{
    alone("FCGI_Accept", with_stdio);
    alone("FCGX_Accept into environ", with_accept);
    alone("FCGX_Accept_r, and environ set", with_a_request);
    return 0;
}
