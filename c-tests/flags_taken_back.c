/*
 * A process restores the flags of the listen socket when it ends by exit(), by OS_LibShutdown, or
 * after Accept has failed because of a shutdown request.
 */
#include "fcgi_client.h"

#include <fcgios.h>
#include <pthread.h>

enum end { BY_EXIT, BY_SHUTDOWN, BY_ACCEPT, BY_ACCEPT_WITH_A_THREAD };

static void *do_nothing(void *unused)
{
    for (;;)
        pause();
    return unused;
}

/* Serves a request in a child process, with a second thread or a silent connection, and ends. */
static void serve(int sock, enum end end)
{
    FCGX_Request request;
    pthread_t thread;
    int client, silent = -1;

    FCGX_Init();
    FCGX_InitRequest(&request, sock, 0);
    if (end == BY_ACCEPT)
        silent = connect_here();
    else if (pthread_create(&thread, NULL, do_nothing, NULL) != 0)
        die("pthread_create");
    client = request_here("");
    printf("Accept: %d\n", FCGX_Accept_r(&request));
    FCGX_Finish_r(&request);
    close(client);
    close(silent);
    if (end >= BY_ACCEPT) {
        FCGX_ShutdownPending();
        printf("Accept: %s\n", FCGX_Accept_r(&request) < 0 ? "failed" : "0");
    }
    FCGX_Free(&request, 1);
    if (end == BY_SHUTDOWN)
        OS_LibShutdown();
    fflush(stdout);
    if (end == BY_EXIT)
        exit(0);
    _exit(0);
}

static void in_a_child(int sock, enum end end, const char *name)
{
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0)
        serve(sock, end);
    print_child_end(name, child);
    printf("flags: %d\n", fcntl(sock, F_GETFL) & (O_NONBLOCK | O_APPEND));
}

int main(void)
{
    int sock = listen_here();

    in_a_child(sock, BY_EXIT, "by exit");
    in_a_child(sock, BY_SHUTDOWN, "by OS_LibShutdown");
    in_a_child(sock, BY_ACCEPT, "after Accept");
    in_a_child(sock, BY_ACCEPT_WITH_A_THREAD, "after Accept, with a thread");
    return 0;
}
