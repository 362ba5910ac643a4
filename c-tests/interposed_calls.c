/*
 * Functions that a program, or something preloaded to it, defines in place of functions that the
 * library might call.
 * differs: Functions in the place of `accept`, `read`, `write`, `OS_Read`, `OS_Write`
 */
#define _GNU_SOURCE
#include "fcgi_client.h"

#include <fcgios.h>
#include <sys/syscall.h>

enum { ACCEPT, READ, WRITE, OS_READ, OS_WRITE, ACCEPT4, RECV, SEND, KINDS };

static int counting, calls[KINDS];

static void count(int kind)
{
    calls[kind] += counting;
}

int accept(int fd, struct sockaddr *address, socklen_t *size)
{
    count(ACCEPT);
    return (int)syscall(SYS_accept4, fd, address, size, 0);
}

ssize_t read(int fd, void *bytes, size_t size)
{
    count(READ);
    return syscall(SYS_read, fd, bytes, size);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    count(WRITE);
    return syscall(SYS_write, fd, bytes, size);
}

int OS_Read(int fd, char *bytes, size_t size)
{
    count(OS_READ);
    return (int)syscall(SYS_read, fd, bytes, size);
}

int OS_Write(int fd, char *bytes, size_t size)
{
    count(OS_WRITE);
    return (int)syscall(SYS_write, fd, bytes, size);
}

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    count(ACCEPT4);
    return (int)syscall(SYS_accept4, fd, address, size, flags);
}

ssize_t recv(int fd, void *bytes, size_t size, int flags)
{
    count(RECV);
    return syscall(SYS_recvfrom, fd, bytes, size, flags, NULL, NULL);
}

ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
    count(SEND);
    return syscall(SYS_sendto, fd, bytes, size, flags, NULL, 0);
}

static void print_calls(void)
{
    static const char *const names[KINDS] = {
        "accept", "read", "write", "OS_Read", "OS_Write", "accept4", "recv", "send",
    };
    int i;

    for (i = 0; i < KINDS; i++)
        printf("%s: %s\n", names[i], calls[i] > 0 ? "called" : "not called");
}

int main(void)
{
    FCGX_Request request;
    char body[20];
    int client;

    FCGX_InitRequest(&request, listen_here(), 0);
    client = request_here("body");
    send_no_more(client);
    counting = 1;
    if (FCGX_Accept_r(&request) != 0)
        die("Accept_r");
    FCGX_PutStr(body, FCGX_GetStr(body, sizeof body, request.in), request.out);
    FCGX_Finish_r(&request);
    counting = 0;
    print_request_reply(client);
    print_calls();
    return 0;
}
