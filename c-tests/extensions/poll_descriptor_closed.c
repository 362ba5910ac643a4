/* The program closes every descriptor of the library, as a daemon does when it starts, and reuses the numbers for
 * timers of its own: FCGX_PollDescriptor returns another descriptor, and the program's timers are left alone. */
#include "request.h"

#include <sys/timerfd.h>

#define TIMERS 16

int main(void)
{
    int sock = FCGX_Listen(SOCKET_PATH, 32), client, silent, descriptor, timers[TIMERS], i, changed = 0;
    struct FCGX_Request *r = FCGX_RequestNew(sock, 0);
    struct itimerspec far = { { 0, 0 }, { 1000, 0 } }, now;

    printf("first %d\n", FCGX_PollDescriptor(sock) >= 0);
    show("Next", FCGX_RequestNext(r, 0));
    for (i = 3; i < 64; i++) {
        if (i != sock)
            close(i);
    }
    for (i = 0; i < TIMERS; i++) {
        timers[i] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
        timerfd_settime(timers[i], 0, &far, NULL);
    }
    descriptor = FCGX_PollDescriptor(sock);
    printf("again %d\n", descriptor >= 0 && descriptor >= timers[TIMERS - 1]);
    printf("%s\n", fd_is_readable(descriptor, 0) ? "readable" : "silent");
    show("Next", FCGX_RequestNext(r, 0));
    silent = connect_here();
    printf("%s\n", fd_is_readable(descriptor, PATIENCE_MS) ? "readable" : "silent");
    show("Next", FCGX_RequestNext(r, 0));
    client = request_here("");
    printf("%s\n", fd_is_readable(descriptor, PATIENCE_MS) ? "readable" : "silent");
    show("Next", FCGX_RequestNext(r, 0));
    show("End", FCGX_RequestEnd(r, 0));
    print_reply(client);
    /* The silent connection is closed when its limit, 2 s, is over. */
    printf("%s\n", fd_is_readable(descriptor, PATIENCE_MS) ? "readable" : "silent");
    show("Next", FCGX_RequestNext(r, 0));
    printf("%s\n", fd_is_readable(silent, 0) ? "closed" : "open");
    for (i = 0; i < TIMERS; i++) {
        timerfd_gettime(timers[i], &now);
        changed += now.it_value.tv_sec < 900;
    }
    printf("changed timers: %d\n", changed);
    FCGX_RequestFree(r);
    return 0;
}
