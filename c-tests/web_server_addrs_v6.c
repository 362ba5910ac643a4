/*
 * FCGI_WEB_SERVER_ADDRS and a listen socket for IPv6 and IPv4: a peer that connects by IPv4 is
 * compared as an IPv4 address, and an IPv6 peer must be in the list.
 * differs: IPv6 peer and `FCGI_WEB_SERVER_ADDRS`
 */
#include "fcgi_client.h"

#include <netinet/in.h>

static int dual_stack_socket(struct sockaddr_in6 *address)
{
    socklen_t length = sizeof *address;
    int off = 0, fd = socket(AF_INET6, SOCK_STREAM, 0);

    memset(address, 0, sizeof *address);
    address->sin6_family = AF_INET6;
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, (struct sockaddr *)address, length) != 0 || listen(fd, 5) != 0
        || getsockname(fd, (struct sockaddr *)address, &length) != 0)
        die("listen");
    return fd;
}

static int connect_by_v4(const struct sockaddr_in6 *to)
{
    struct sockaddr_in address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = to->sin6_port;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("connect by IPv4");
    send_request(fd, "IPv4");
    return fd;
}

static int connect_by_v6(struct sockaddr_in6 to)
{
    int fd = socket(AF_INET6, SOCK_STREAM, 0);

    to.sin6_addr = in6addr_loopback;
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        die("connect by IPv6");
    send_request(fd, "IPv6");
    return fd;
}

/* Shows whether the IPv4 or the IPv6 client is served, in its own process. */
static void with_list(const char *list, int v6_first)
{
    struct sockaddr_in6 address;
    FCGX_Request request;
    char body[20];
    int clients[2], got, i;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child != 0) {
        print_child_end(list, child);
        return;
    }
    alarm(3); /* The original serves no client at all with one of these lists. */
    setenv("FCGI_WEB_SERVER_ADDRS", list, 1);
    FCGX_Init();
    FCGX_InitRequest(&request, dual_stack_socket(&address), 0);
    for (i = 0; i < 2; i++)
        clients[i] = (i == 0) == v6_first ? connect_by_v6(address) : connect_by_v4(&address);
    printf("accept %d", FCGX_Accept_r(&request));
    got = FCGX_GetStr(body, sizeof body, request.in);
    printf(", by %.*s\n", got, body);
    for (i = 0; i < 2; i++)
        close(clients[i]);
    FCGX_Finish_r(&request);
    fflush(stdout);
    _exit(0);
}

int main(void)
{
    with_list("", 1);
    with_list("", 0);
    with_list("127.0.0.1", 1);
    with_list("::1", 0);
    with_list("10.9.9.9,::1,fe80::1", 0);
    with_list("127.0.0.1,::1", 1);
    return 0;
}
