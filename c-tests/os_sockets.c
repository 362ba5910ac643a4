/*
 * Listen sockets and connections: which names are paths, which files are replaced, and what
 * OS_IsFcgi recognises.
 */
#define _GNU_SOURCE
#include <fcgios.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *yes(int condition)
{
    return condition ? "yes" : "no";
}

static int lowest_free(void)
{
    int fd = open("/dev/null", O_RDONLY);
    close(fd);
    return fd;
}

static int is_socket_file(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static void path_name(const char *name, int backlog)
{
    int lowest = lowest_free();
    int fd = OS_CreateLocalIpcFd(name, backlog);
    int client = OS_FcgiConnect((char *)name);
    printf("'%.20s' (%d bytes, backlog %d): lowest %s, file %s, fcgi %d, inherited %s, connects %s\n",
           name, (int)strlen(name), backlog, yes(fd == lowest), yes(is_socket_file(name)),
           OS_IsFcgi(fd), yes(fcntl(fd, F_GETFD) == 0), yes(client >= 0));
    close(client);
    close(fd);
}

/* Returns a port that was free a moment ago. */
static int free_port(void)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    bind(fd, (struct sockaddr *)&address, sizeof address);
    getsockname(fd, (struct sockaddr *)&address, &size);
    close(fd);
    return ntohs(address.sin_port);
}

static void tcp_name(const char *listen_host, char *connect_host)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    char name[64];
    int port = free_port();
    int lowest = lowest_free();
    int fd, client, server, reuse = 0;
    socklen_t reuse_size = sizeof reuse;

    snprintf(name, sizeof name, "%s:%d", listen_host, port);
    fd = OS_CreateLocalIpcFd(name, 5);
    memset(&address, 0, sizeof address);
    getsockname(fd, (struct sockaddr *)&address, &size);
    getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, &reuse_size);
    printf("'%s:port': lowest %s, IPv4 %s, port %s, address %s, reuse %s, fcgi %d\n", listen_host,
           yes(fd == lowest), yes(address.sin_family == AF_INET),
           yes(ntohs(address.sin_port) == port), inet_ntoa(address.sin_addr), yes(reuse != 0),
           OS_IsFcgi(fd));

    snprintf(name, sizeof name, "%s:%d", connect_host, port);
    client = OS_FcgiConnect(name);
    server = OS_Accept(fd, 0, NULL);
    printf("  '%s:port' connects %s, accepted %s, fcgi %d %d\n", connect_host, yes(client >= 0),
           yes(server >= 0), OS_IsFcgi(client), OS_IsFcgi(server));

    /* The server's side is closed first and enters TIME_WAIT. The port must be free immediately. */
    close(server);
    close(client);
    close(fd);
    snprintf(name, sizeof name, "%s:%d", listen_host, port);
    fd = OS_CreateLocalIpcFd(name, 5);
    printf("  again %s\n", yes(fd >= 0));
    close(fd);
    snprintf(name, sizeof name, "%s:%d", connect_host, port);
    errno = 0;
    client = OS_FcgiConnect(name);
    printf("  nobody: %d, refused %s\n", client, yes(errno == ECONNREFUSED));
}

static void what_is_fcgi(void)
{
    int pair[2], ends[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    if (pipe(ends) != 0)
        return;
    printf("fresh socket %d, IPv6 %d\n", OS_IsFcgi(socket(AF_INET, SOCK_STREAM, 0)),
           OS_IsFcgi(socket(AF_INET6, SOCK_STREAM, 0)));
    printf("connected %d, pipe %d, file %d, closed %d, negative %d\n", OS_IsFcgi(pair[0]),
           OS_IsFcgi(ends[0]), OS_IsFcgi(open("/dev/null", O_RDWR)), OS_IsFcgi(99), OS_IsFcgi(-1));
    close(pair[1]);
    printf("peer gone %d\n", OS_IsFcgi(pair[0]));
}

int main(void)
{
    static const char *const paths[] = {"sock", "./sock", "a:b", "a:", ":", "*:", ":0", "x:0", "9"};
    char path[108];
    size_t i;
    int live;

    alarm(30);
    OS_LibInit(NULL);
    for (i = 0; i < sizeof paths / sizeof *paths; i++)
        path_name(paths[i], 5);
    memset(path, 'x', 107);
    path[107] = '\0';
    path_name(path, 5);
    path_name("sock", 1);
    path_name("sock", 1000000);

    live = OS_CreateLocalIpcFd("live", 5);
    path_name("live", 5);
    printf("the replaced socket is still open %s\n", yes(OS_IsFcgi(live)));

    tcp_name("", "");
    tcp_name("", "127.0.0.1");
    tcp_name("127.0.0.1", "localhost");
    tcp_name("localhost", "127.0.0.1");

    errno = 0;
    live = OS_FcgiConnect("nothing-here");
    printf("no file: %d, ENOENT %s\n", live, yes(errno == ENOENT));

    close(0);
    printf("after close(0): %d\n", OS_CreateLocalIpcFd("zero", 5));
    what_is_fcgi();
    return 0;
}
