/* FCGX_PollDescriptor: readable whenever FCGX_RequestNext(r, 0) would return something, silent otherwise, by
 * poll(2) and inside an outer epoll instance, level- and edge-triggered; several requests in hand. */
#include "request.h"

#include <sys/epoll.h>

static int descriptor, outer, edges;

/* Prints what the descriptor says, all three ways. */
static void readable(const char *what, int wait)
{
    struct epoll_event event;
    int by_poll = fd_is_readable(descriptor, wait);
    int level = epoll_wait(outer, &event, 1, 0);
    int edge = epoll_wait(edges, &event, 1, 0);

    printf("%s: %s%s\n", what, by_poll ? "readable" : "silent", edge ? ", anew" : "");
    if (level != by_poll)
        printf("  but not in an outer instance\n");
}

static int epoll_with(unsigned events)
{
    struct epoll_event event = { 0 };
    int instance = epoll_create1(EPOLL_CLOEXEC);

    event.events = events;
    if (epoll_ctl(instance, EPOLL_CTL_ADD, descriptor, &event) != 0)
        die("epoll_ctl");
    return instance;
}

/* Calls Next until it returns 0, and serves nothing. */
static void drain(struct FCGX_Request *r)
{
    int result = FCGX_RequestNext(r, 0);

    show("Next", result);
    readable("after it", 0);
}

int main(void)
{
    int sock = FCGX_Listen(SOCKET_PATH, 32), clients[4], i;
    struct FCGX_Request *r[4];

    show("no socket", FCGX_PollDescriptor(1234));
    for (i = 0; i < 4; i++)
        r[i] = FCGX_RequestNew(sock, 0);
    clients[0] = request_here("");
    show("before", FCGX_RequestNext(r[0], -1));
    descriptor = FCGX_PollDescriptor(sock);
    printf("the same %d\n", FCGX_PollDescriptor(sock) == descriptor);
    outer = epoll_with(EPOLLIN);
    edges = epoll_with(EPOLLIN | EPOLLET);
    FCGX_RequestEnd(r[0], 0);
    print_reply(clients[0]);
    readable("at first", 0);
    drain(r[0]);

    clients[0] = connect_here();
    readable("a connection", PATIENCE_MS);
    drain(r[0]);
    send_begin(clients[0], 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
    readable("the beginning of a head", PATIENCE_MS);
    drain(r[0]);
    send_pair(clients[0], 1, "A", "B");
    send_end(clients[0], FCGI_PARAMS, 1);
    readable("its end", PATIENCE_MS);
    drain(r[0]);
    send_text(clients[0], FCGI_STDIN, 1, "body");
    send_end(clients[0], FCGI_STDIN, 1);
    readable("the body of a request in hand", 50);

    for (i = 1; i < 4; i++)
        clients[i] = request_here("");
    readable("three more", PATIENCE_MS);
    for (i = 1; i < 4; i++)
        show("Next", FCGX_RequestNext(r[i], 0));
    readable("all in hand", 0);
    for (i = 3; i >= 0; i--)
        show("End", FCGX_RequestEnd(r[i], 0));
    for (i = 1; i < 4; i++)
        print_reply(clients[i]);
    print_request_reply(clients[0]);
    readable("all ended, the first is kept", 0);
    drain(r[0]);

    send_kept(clients[0], 2);
    send_kept(clients[0], 3);
    readable("two requests at once", PATIENCE_MS);
    show("Next", FCGX_RequestNext(r[0], 0));
    readable("the second waits for the first", 0);
    show("End", FCGX_RequestEnd(r[0], 0));
    print_request_reply(clients[0]);
    readable("read ahead", PATIENCE_MS);
    show("Next", FCGX_RequestNext(r[1], 0));
    show("End", FCGX_RequestEnd(r[1], 0));
    print_request_reply(clients[0]);
    drain(r[0]);

    FCGX_ShutdownPending();
    readable("shutdown", PATIENCE_MS);
    show("Next", FCGX_RequestNext(r[0], 0));
    readable("while it drains", 0);
    send_kept(clients[0], 4);
    readable("a request in time", PATIENCE_MS);
    show("Next", FCGX_RequestNext(r[0], 0));
    show("End", FCGX_RequestEnd(r[0], 0));
    print_reply(clients[0]);
    readable("it is over", PATIENCE_MS);
    show("Next", FCGX_RequestNext(r[0], 0));
    for (i = 0; i < 4; i++)
        FCGX_RequestFree(r[i]);
    return 0;
}
