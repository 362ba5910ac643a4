/* A handler jumps out of FCGX_RequestNext, as exceptions of some languages do, and the request is cancelled while no
 * thread waits with it: others wait on in silence, and the next call is cancelled once. */
#include "request.h"

#include <setjmp.h>
#include <signal.h>

static sigjmp_buf out;

static void on_alarm(int signal)
{
    (void)signal;
    siglongjmp(out, 1);
}

int main(void)
{
    int sock = FCGX_Listen(SOCKET_PATH, 32), descriptor, client;
    struct FCGX_Request *left = FCGX_RequestNew(sock, 0), *r = FCGX_RequestNew(sock, 0);
    long end;

    descriptor = FCGX_PollDescriptor(sock);
    signal(SIGALRM, on_alarm);
    if (sigsetjmp(out, 1) == 0) {
        ualarm(20 * 1000, 0);
        FCGX_RequestNext(left, -1);
        printf("not reached\n");
    }
    FCGX_RequestCancel(left);
    end = milliseconds() + PATIENCE_MS;
    while (fd_is_readable(descriptor, 0) && milliseconds() < end)
        FCGX_RequestNext(r, 0);
    printf("%s at last\n", fd_is_readable(descriptor, 0) ? "readable" : "silent");
    client = request_here("");
    show("another", FCGX_RequestNext(r, PATIENCE_MS));
    show("End", FCGX_RequestEnd(r, 0));
    print_reply(client);
    show("cancelled", FCGX_RequestNext(left, 0));
    show("once", FCGX_RequestNext(left, 0));
    FCGX_RequestFree(left);
    FCGX_RequestFree(r);
    return 0;
}
