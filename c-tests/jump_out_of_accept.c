/*
 * Programs that leave a waiting FCGX_Accept_r by siglongjmp from a signal handler. Later calls
 * serve the requests that are there, and the library does not touch descriptors that reuse the
 * listen socket's number.
 */
#include "fcgi_client.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>

static sigjmp_buf back;

static void on_alarm(int number)
{
    siglongjmp(back, number);
}

static void jump_out(FCGX_Request *request)
{
    struct itimerval once = { { 0, 0 }, { 0, 50000 } };
    int result;

    if (sigsetjmp(back, 1) != 0)
        return;
    setitimer(ITIMER_REAL, &once, NULL);
    result = FCGX_Accept_r(request);
    printf("Accept returns %d\n", result);
}

static void serve(FCGX_Request *request)
{
    int result = FCGX_Accept_r(request);

    if (result != 0) {
        printf("Accept %d\n", result);
        return;
    }
    FCGX_PutS("answer", request->out);
    FCGX_Finish_r(request);
}

static long file_number(int fd)
{
    struct stat stat;

    return fstat(fd, &stat) == 0 ? (long)stat.st_ino : -1;
}

/* Raises SIGTERM when the number stands for another file. */
static void reuse_the_number(FCGX_Request *request)
{
    int sock = request->listen_sock, pair[2];
    long before;

    jump_out(request);
    close(sock);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        die("socketpair");
    before = file_number(sock);
    raise(SIGTERM);
    printf("the number: %d, as it was: %d\n", pair[0] == sock, file_number(sock) == before);
}

/* Raises SIGTERM while the listen socket still exists. */
static void go_on_after_sigterm(FCGX_Request *request)
{
    long before = file_number(request->listen_sock);

    jump_out(request);
    raise(SIGTERM);
    printf("Accept fails: %d\n", FCGX_Accept_r(request) < 0);
    printf("as it was: %d\n", file_number(request->listen_sock) == before);
}

static void in_a_child(void (*act)(FCGX_Request *), FCGX_Request *request)
{
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        act(request);
        fflush(stdout);
        _exit(0);
    }
    print_child_end("child", child);
}

int main(void)
{
    FCGX_Request request;
    int client, i;

    FCGX_Init();
    signal(SIGALRM, on_alarm);
    FCGX_InitRequest(&request, listen_here(), 0);
    in_a_child(reuse_the_number, &request);
    in_a_child(go_on_after_sigterm, &request);

    for (i = 0; i < 3; i++) {
        jump_out(&request);
        client = request_here("body");
        serve(&request);
        print_reply(client);
    }
    client = connect_here();
    for (i = 0; i < 3; i++) {
        send_head(client, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
        send_end(client, FCGI_STDIN, 1);
        serve(&request);
        print_request_reply(client);
        jump_out(&request);
    }
    close(client);
    jump_out(&request);
    client = request_here("the last one");
    serve(&request);
    print_reply(client);
    return 0;
}
