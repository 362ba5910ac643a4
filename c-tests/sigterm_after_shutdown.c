/*
 * After OS_LibShutdown, SIGTERM acts as before FCGX_Init, once nothing of the library is in use.
 *
 * differs: SIGTERM after `OS_LibShutdown`
 */
#include "fcgi_client.h"

#include <fcgios.h>
#include <signal.h>

static void on_term(int signal)
{
    (void)signal;
    if (write(1, "the program's own handler\n", 26) < 0)
        _exit(98);
}

/* Runs one case in its own process. */
static void in_a_child(const char *what, void (*run)(void))
{
    pid_t child;

    printf("%s\n", what);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        alarm(PATIENCE_MS / 1000);
        run();
        fflush(stdout);
        _exit(0);
    }
    print_child_end("  ended", child);
    fflush(stdout);
}

static void begin_and_end(void)
{
    FCGX_Init();
    OS_LibShutdown();
}

static void by_default(void)
{
    begin_and_end();
    raise(SIGTERM);
}

static void by_default_user_signal(void)
{
    begin_and_end();
    raise(SIGUSR1);
}

static void ignored(void)
{
    signal(SIGTERM, SIG_IGN);
    begin_and_end();
    raise(SIGTERM);
}

static void own_before(void)
{
    signal(SIGTERM, on_term);
    begin_and_end();
    raise(SIGTERM);
}

static void own_since(void)
{
    FCGX_Init();
    signal(SIGTERM, on_term);
    OS_LibShutdown();
    raise(SIGTERM);
}

static void broken_pipe(void)
{
    begin_and_end();
    raise(SIGPIPE);
}

/* Accepts a request, shuts the library down in the middle of it and sends the response. */
static void in_a_request(void)
{
    FCGX_Request request;
    int client;

    FCGX_InitRequest(&request, listen_here(), 0);
    client = request_here("");
    FCGX_Accept_r(&request);
    OS_LibShutdown();
    raise(SIGTERM);
    FCGX_PutS("whole", request.out);
    FCGX_Finish_r(&request);
    print_reply(client);
}

/* Continues to accept without FCGX_Init. */
static void goes_on(void)
{
    FCGX_Request request;
    int client;

    FCGX_InitRequest(&request, listen_here(), 0);
    OS_LibShutdown();
    client = request_here("");
    FCGX_Accept_r(&request);
    raise(SIGTERM);
    FCGX_PutS("whole", request.out);
    FCGX_Finish_r(&request);
    print_reply(client);
}

int main(void)
{
    in_a_child("default", by_default);
    in_a_child("default, SIGUSR1", by_default_user_signal);
    in_a_child("ignored", ignored);
    in_a_child("a handler set before", own_before);
    in_a_child("a handler set since", own_since);
    in_a_child("SIGPIPE", broken_pipe);
    in_a_child("in a request", in_a_request);
    in_a_child("in the next request", goes_on);
    return 0;
}
