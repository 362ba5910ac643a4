/* FCGI_WEB_SERVER_ADDRS: Accept closes a peer that is not listed and accepts the next one. */
#include "fcgi_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static struct sockaddr_in loopback(const char *address, unsigned short port)
{
    struct sockaddr_in result;

    memset(&result, 0, sizeof result);
    result.sin_family = AF_INET;
    result.sin_addr.s_addr = inet_addr(address);
    result.sin_port = port;
    return result;
}

/* Returns a port that is free at the moment. */
static unsigned short free_port(void)
{
    struct sockaddr_in address = loopback("127.0.0.1", 0);
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (bind(fd, (struct sockaddr *)&address, length) != 0
        || getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        die("bind");
    close(fd);
    return address.sin_port;
}

static int connect_from(const char *from, unsigned short port)
{
    struct sockaddr_in own = loopback(from, 0), peer = loopback("127.0.0.1", port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (bind(fd, (struct sockaddr *)&own, sizeof own) != 0
        || connect(fd, (struct sockaddr *)&peer, sizeof peer) != 0)
        die("connect");
    send_request(fd, from);
    return fd;
}

/* Shows which of two clients with different addresses is accepted first, in its own process. */
static void with_list(const char *list)
{
    FCGX_Request request;
    unsigned short port = free_port();
    char path[32], body[20];
    int sock, first, second, got;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child != 0) {
        print_child_end(list[0] == '\0' ? "no list" : list, child);
        return;
    }
    setenv("FCGI_WEB_SERVER_ADDRS", list, 1);
    FCGX_Init();
    sprintf(path, ":%d", ntohs(port));
    sock = FCGX_OpenSocket(path, 5);
    if (sock < 0)
        die("FCGX_OpenSocket");
    FCGX_InitRequest(&request, sock, 0);
    first = connect_from("127.0.0.1", port);
    second = connect_from("127.0.0.2", port);
    printf("accept %d", FCGX_Accept_r(&request));
    got = FCGX_GetStr(body, sizeof body, request.in);
    printf(", from %.*s\n", got, body);
    close(first);
    close(second);
    FCGX_Finish_r(&request);
    fflush(stdout);
    _exit(0);
}

int main(void)
{
    with_list("");
    with_list("127.0.0.1");
    with_list("127.0.0.2");
    with_list("10.9.9.9,127.0.0.2");
    with_list("127.0.0.2,10.9.9.9");
    with_list("no address,127.0.0.2");
    return 0;
}
