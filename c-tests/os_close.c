/*
 * Reading, writing and closing: results, what the peer receives, and how long closing waits.
 */
#define _GNU_SOURCE
#include <fcgios.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int ends[2];

static void say(const char *what, int result)
{
    printf("%s: %d%s%s\n", what, result, result < 0 ? " " : "", result < 0 ? strerror(errno) : "");
}

static void connected(void)
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        perror("socketpair");
}

static void piped(void)
{
    if (pipe(ends) != 0)
        perror("pipe");
}

static void put(int fd, const char *text)
{
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        perror("write");
}

static void reading_and_writing(void)
{
    char text[8];
    piped();
    say("Write", OS_Write(ends[1], (char *)"abc", 3));
    say("Write nothing", OS_Write(ends[1], text, 0));
    say("Read nothing", OS_Read(ends[0], text, 0));
    say("Read", OS_Read(ends[0], text, sizeof text));
    close(ends[1]);
    say("Read at the end", OS_Read(ends[0], text, sizeof text));
    piped();
    close(ends[0]);
    say("Write that nobody reads", OS_Write(ends[1], text, 1));
    say("Read from a closed one", OS_Read(99, text, 1));
    say("Write to a closed one", OS_Write(99, text, 1));
    say("Read into nowhere", OS_Read(open("/dev/zero", O_RDONLY), NULL, 1));
}

static void results(void)
{
    say("Close what is closed", OS_Close(99, 0));
    say("Close it gracefully", OS_Close(99, 1));
    say("IpcClose it", OS_IpcClose(99, 0));
    say("IpcClose it gracefully", OS_IpcClose(99, 1));
    say("Close -1", OS_Close(-1, 0));
    say("Close -1 gracefully", OS_Close(-1, 1));
    say("IpcClose -1", OS_IpcClose(-1, 1));
    say("CloseRead what is closed", OS_CloseRead(99));
    piped();
    say("CloseRead a pipe", OS_CloseRead(ends[0]));
    say("it is still open", fcntl(ends[0], F_GETFD));
    say("Close a pipe gracefully", OS_Close(ends[0], 1));
    say("IpcClose a pipe gracefully", OS_IpcClose(ends[1], 1));
    say("it is closed", fcntl(ends[1], F_GETFD));
}

static void what_the_peer_sees(void)
{
    char byte;
    connected();
    put(ends[1], "unread");
    say("Close with unread bytes", OS_Close(ends[0], 0));
    say("the peer reads", (int)read(ends[1], &byte, 1));

    connected();
    put(ends[1], "unread");
    shutdown(ends[1], SHUT_WR);
    put(ends[0], "y");
    say("Close gracefully", OS_Close(ends[0], 1));
    say("the peer reads", (int)read(ends[1], &byte, 1));
    say("then", (int)read(ends[1], &byte, 1));

    connected();
    say("CloseRead", OS_CloseRead(ends[0]));
    say("the peer writes", (int)write(ends[1], "x", 1));
    say("and reads", OS_Write(ends[0], (char *)"z", 1) == 1 ? (int)read(ends[1], &byte, 1) : -1);
}

static long milliseconds_to_close(void)
{
    struct timeval begin, end;
    gettimeofday(&begin, NULL);
    OS_Close(ends[0], 1);
    gettimeofday(&end, NULL);
    return (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_usec - begin.tv_usec) / 1000;
}

/* LIBFCGI_OS_CLOSE_POLL_TIMEOUT is 300 here. */
static void waiting(void)
{
    long time;
    connected();
    time = milliseconds_to_close();
    printf("a silent peer is waited for: %d\n", time >= 290 && time < 1500);
    close(ends[1]);
    connected();
    put(ends[1], "unread");
    time = milliseconds_to_close();
    printf("also after unread bytes: %d\n", time >= 290 && time < 1500);
    connected();
    close(ends[1]);
    printf("one that has ended is not: %d\n", milliseconds_to_close() < 250);
}

static void flags(void)
{
    piped();
    OS_SetFlags(ends[0], O_NONBLOCK);
    printf("O_NONBLOCK %d", (fcntl(ends[0], F_GETFL) & O_NONBLOCK) != 0);
    OS_SetFlags(ends[0], O_APPEND);
    printf(", with O_APPEND %d", (fcntl(ends[0], F_GETFL) & O_NONBLOCK) != 0);
    printf(" %d", (fcntl(ends[0], F_GETFL) & O_APPEND) != 0);
    OS_SetFlags(ends[0], 0);
    printf(", with nothing %d\n", (fcntl(ends[0], F_GETFL) & O_NONBLOCK) != 0);
}

int main(void)
{
    alarm(30);
    setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "300", 1);
    OS_LibInit(NULL);
    reading_and_writing();
    results();
    what_the_peer_sees();
    waiting();
    flags();
    return 0;
}
