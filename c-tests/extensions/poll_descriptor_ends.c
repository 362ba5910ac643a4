/* The end of a program that polls FCGX_PollDescriptor: signals and calls with time limits while it drains, what
 * becomes of SIGTERM after OS_LibShutdown, and a second life. */
#include "request.h"

#include <fcgios.h>
#include <pthread.h>
#include <signal.h>

static void on_alarm(int signal)
{
    (void)signal;
}

static void *send_later(void *client)
{
    usleep(100 * 1000);
    send_kept(*(int *)client, 2);
    return NULL;
}

/* A kept connection, on which another request comes 100 ms after the request to shut down. */
static void drain(int sock, struct FCGX_Request *r)
{
    int descriptor, client = connect_here();
    pthread_t thread;
    long begin;

    descriptor = FCGX_PollDescriptor(sock);
    send_kept(client, 1);
    show("Next", FCGX_RequestNext(r, PATIENCE_MS));
    show("End", FCGX_RequestEnd(r, 0));
    print_request_reply(client);
    raise(SIGTERM);
    printf("%s\n", fd_is_readable(descriptor, PATIENCE_MS) ? "readable" : "silent");
    begin = milliseconds();
    show("Next(0)", FCGX_RequestNext(r, 0));
    show("Next(20)", FCGX_RequestNext(r, 20));
    printf("%s\n", milliseconds() - begin < 20 ? "too early" : "in time");
    pthread_create(&thread, NULL, send_later, &client);
    ualarm(30 * 1000, 0);
    show("Next, with a signal", FCGX_RequestNext(r, PATIENCE_MS));
    pthread_join(thread, NULL);
    show("End", FCGX_RequestEnd(r, 0));
    print_reply(client);
    printf("%s\n", fd_is_readable(descriptor, PATIENCE_MS) ? "readable" : "silent");
    show("Next", FCGX_RequestNext(r, 0));
}

/* What SIGTERM does to the process now. */
static const char *action(void)
{
    struct sigaction now;

    sigaction(SIGTERM, NULL, &now);
    return now.sa_handler == SIG_DFL ? "the default" : "the library's";
}

int main(void)
{
    struct FCGX_Request *r;
    struct sigaction alarm;
    int sock, round;

    setenv("LIBFCGI_DRAIN", "5000", 1);
    memset(&alarm, 0, sizeof alarm);
    alarm.sa_handler = on_alarm;
    sigaction(SIGALRM, &alarm, NULL);
    sock = FCGX_Listen(SOCKET_PATH, 32);
    for (round = 0; round < 2; round++) {
        r = FCGX_RequestNew(sock, 0);
        printf("SIGTERM: %s\n", action());
        drain(sock, r);
        FCGX_RequestFree(r);
        OS_LibShutdown();
        printf("SIGTERM: %s; the listen socket %s\n", action(),
               fcntl(sock, F_GETFL) & O_NONBLOCK ? "does not block" : "blocks");
    }
    return 0;
}
