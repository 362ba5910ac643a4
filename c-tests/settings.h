/*
 * Shows which settings are in force: the program's own, or those named in a request's parameters.
 * With the program's settings, closing does not wait, accepting does not wait for silent peers, and
 * only 127.0.0.1 is admitted. With a request's settings, both wait for 1.5 s, and only 127.0.0.2 is
 * admitted.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "fcgi_client.h"

#include <arpa/inet.h>
#include <fcgios.h>
#include <netinet/in.h>
#include <time.h>

extern char **environ;

static struct sockaddr_in listening;

static inline void set_own_settings(void)
{
    setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1);
    setenv("LIBFCGI_IS_AF_UNIX_KEEPER_POLL_TIMEOUT", "0", 1);
    setenv("FCGI_WEB_SERVER_ADDRS", "127.0.0.1", 1);
}

/* Returns a TCP listen socket on a port that the system has chosen. */
static inline int listen_tcp(void)
{
    socklen_t length = sizeof listening;
    int sock = socket(AF_INET, SOCK_STREAM, 0);

    memset(&listening, 0, sizeof listening);
    listening.sin_family = AF_INET;
    listening.sin_addr.s_addr = inet_addr("127.0.0.1");
    if (sock < 0 || bind(sock, (struct sockaddr *)&listening, length) != 0
        || listen(sock, 16) != 0
        || getsockname(sock, (struct sockaddr *)&listening, &length) != 0)
        die("listen");
    return sock;
}

/* Sends a whole request that tries to change every setting. Its body is the client's address. */
static inline int request_from(const char *address)
{
    struct sockaddr_in own = listening;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    own.sin_addr.s_addr = inet_addr(address);
    own.sin_port = 0;
    if (bind(fd, (struct sockaddr *)&own, sizeof own) != 0
        || connect(fd, (struct sockaddr *)&listening, sizeof listening) != 0)
        die("connect");
    send_begin(fd, 1, FCGI_RESPONDER, 0);
    send_pair(fd, 1, "LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "1500");
    send_pair(fd, 1, "LIBFCGI_IS_AF_UNIX_KEEPER_POLL_TIMEOUT", "1500");
    send_pair(fd, 1, "LIBFCGI_FIRST_BYTE_TIMEOUT", "1");
    send_pair(fd, 1, "LIBFCGI_HEAD_TIMEOUT", "1");
    send_pair(fd, 1, "LIBFCGI_MAX_WAITING", "1");
    send_pair(fd, 1, "LIBFCGI_MAX_PARAMS_BYTES", "1");
    send_pair(fd, 1, "FCGI_WEB_SERVER_ADDRS", "127.0.0.2");
    send_end(fd, FCGI_PARAMS, 1);
    send_text(fd, FCGI_STDIN, 1, address);
    send_end(fd, FCGI_STDIN, 1);
    send_no_more(fd);
    return fd;
}

static inline int is_long_ago(const struct timespec *begin)
{
    struct timespec end;

    clock_gettime(CLOCK_MONOTONIC, &end);
    return (end.tv_sec - begin->tv_sec) * 1000 + (end.tv_nsec - begin->tv_nsec) / 1000000 > 750;
}

/* Returns whether closing takes long when the peer keeps its side open. */
static inline int closing_waits(void)
{
    struct timespec begin;
    int pair[2], waits;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        die("socketpair");
    clock_gettime(CLOCK_MONOTONIC, &begin);
    OS_Close(pair[0], 1);
    waits = is_long_ago(&begin);
    close(pair[1]);
    return waits;
}

/* Returns whether accepting takes long when a silent peer comes first. */
static inline int accepting_waits(void)
{
    int sock = FCGX_OpenSocket(SOCKET_PATH, 16);
    int silent = connect_here(), client = connect_here();
    struct timespec begin;
    int fd, waits;

    send_bytes(client, "x", 1);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    fd = OS_Accept(sock, 0, NULL);
    waits = is_long_ago(&begin);
    if (fd < 0)
        die("OS_Accept");
    close(fd);
    close(silent);
    close(client);
    close(sock);
    unlink(SOCKET_PATH);
    return waits;
}

static inline void show_closing(const char *when)
{
    printf("%s: closing: %s\n", when, closing_waits() ? "the request's" : "the program's");
    fflush(stdout);
}

static inline void show_settings(const char *when)
{
    show_closing(when);
    printf("%s: accepting: %s\n", when, accepting_waits() ? "the request's" : "the program's");
    fflush(stdout);
}

#endif
