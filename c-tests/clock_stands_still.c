/*
 * A program whose clock does not advance, as in a test with a fake clock. SIGTERM ends it
 * nevertheless while a connection is kept.
 */
#define _GNU_SOURCE
#include "fcgi_client.h"

#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

static struct timespec stands_at;

/* Replaces the C library's function. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (stands_at.tv_sec == 0)
        syscall(SYS_clock_gettime, clock, &stands_at);
    *now = stands_at;
    return 0;
}

static void serve(int sock)
{
    FCGX_Request request;

    alarm(PATIENCE_MS / 1000);
    FCGX_InitRequest(&request, sock, 0);
    while (FCGX_Accept_r(&request) == 0) {
        FCGX_PutS("complete", request.out);
        FCGX_Finish_r(&request);
    }
    _exit(0);
}

int main(void)
{
    int sock = listen_here();
    int client = connect_here();
    pid_t child = fork();
    siginfo_t ended = { 0 };

    alarm(PATIENCE_MS / 1000);
    if (child == 0)
        serve(sock);
    send_head(client, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
    send_end(client, FCGI_STDIN, 1);
    print_request_reply(client);
    /* The child may not wait again yet, and the original loses a signal just before that. */
    while (ended.si_pid == 0) {
        kill(child, SIGTERM);
        poll(NULL, 0, 300);
        waitid(P_PID, (id_t)child, &ended, WEXITED | WNOHANG | WNOWAIT);
    }
    print_child_end("the child", child);
    return 0;
}
