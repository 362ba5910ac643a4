/*
 * Asynchronous reads and writes: when procedures are called, with which arguments, and in which
 * order. Each part runs in its own process, because the original loses count after a close in a
 * procedure.
 */
#define _GNU_SOURCE
#include <fcgios.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char buffer[64];
static int first[2], second[2];

static void told(ClientData name, int len)
{
    printf("  %s: %d%s%s\n", (const char *)name, len, len < 0 ? " " : "",
           len < 0 ? strerror(errno) : "");
}

static void read_again(ClientData name, int len)
{
    told(name, len);
    printf("  again: %d\n", OS_AsyncRead(first[0], 0, buffer, 1, told, "read again"));
}

static void close_other(ClientData name, int len)
{
    told(name, len);
    printf("  close: %d\n", OS_Close(second[0], 0));
}

static void close_self(ClientData name, int len)
{
    told(name, len);
    printf("  close: %d\n", OS_Close(first[0], 0));
}

static void run(void)
{
    struct timeval time = {0, 1000};
    printf(" DoIo: %d\n", OS_DoIo(&time));
}

static void put(int fd, const char *text)
{
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        printf("write: %s\n", strerror(errno));
}

static void fresh(const char *title)
{
    printf("%s\n", title);
    if (pipe(first) != 0 || pipe(second) != 0)
        printf("pipe: %s\n", strerror(errno));
}

static void done(void)
{
    close(first[0]);
    close(first[1]);
    close(second[0]);
    close(second[1]);
}

static void timeouts(void)
{
    struct timeval time = {3600, 0};
    fresh("timeouts");
    run();
    OS_AsyncRead(first[0], -1, buffer, 10, told, "read");
    run();
    put(first[1], "hello");
    printf(" DoIo: %d\n", OS_DoIo(&time));
    printf(" an hour is not over: %d\n", time.tv_sec >= 3000 && time.tv_sec <= 3600);
    OS_AsyncRead(first[0], -1, buffer, 10, told, "read");
    put(first[1], "x");
    printf(" without a limit: %d\n", OS_DoIo(NULL));
    time.tv_sec = 0;
    time.tv_usec = 2000;
    OS_DoIo(&time);
    printf(" left: %ld.%06ld\n", (long)time.tv_sec, (long)time.tv_usec);
    done();
}

static void procedures(void)
{
    fresh("several are ready");
    OS_AsyncWrite(second[1], -1, "abc", 3, told, "fourth descriptor");
    OS_AsyncRead(second[0], -1, buffer, 1, told, "third descriptor");
    OS_AsyncRead(first[0], -1, buffer, 1, told, "first descriptor");
    put(first[1], "x");
    put(second[1], "y");
    run();
    run();
    done();

    fresh("reading again in a procedure");
    OS_AsyncRead(first[0], -1, buffer, 1, read_again, "read");
    put(first[1], "xyz");
    run();
    run();
    run();
    done();
}

static void closing_another(void)
{
    fresh("closing another in a procedure");
    OS_AsyncRead(first[0], -1, buffer, 1, close_other, "read");
    OS_AsyncRead(second[0], -1, buffer, 1, told, "never");
    put(first[1], "x");
    put(second[1], "y");
    run();
    run();
    done();
}

static void closing_itself(void)
{
    fresh("closing itself in a procedure");
    OS_AsyncRead(first[0], -1, buffer, 1, close_self, "read");
    put(first[1], "x");
    run();
    run();
    done();
}

static void results(void)
{
    fresh("ends and errors");
    OS_AsyncRead(first[0], -1, buffer, 1, told, "end of file");
    close(first[1]);
    run();
    OS_AsyncWrite(second[1], -1, "x", 1, told, "nobody reads");
    close(second[0]);
    run();
    done();

    fresh("lengths and buffers");
    put(first[1], "xyz");
    OS_AsyncRead(first[0], -1, buffer, 0, told, "nothing");
    run();
    OS_AsyncRead(first[0], -1, NULL, 1, told, "nowhere");
    run();
    OS_AsyncRead(first[0], -1, buffer, 64, told, "all");
    run();
    done();
}

static void both_directions(void)
{
    printf("both directions\n");
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, first) != 0)
        return;
    OS_AsyncWrite(first[0], -1, "zz", 2, told, "write");
    OS_AsyncRead(first[0], -1, buffer, 10, told, "read");
    put(first[1], "abc");
    run();
    run();

    OS_AsyncWrite(first[0], -1, "zz", 2, told, "write");
    OS_AsyncRead(first[0], -1, buffer, 10, told, "never");
    put(first[1], "abc");
    printf(" CloseRead: %d, still open %d\n", OS_CloseRead(first[0]), fcntl(first[0], F_GETFD) >= 0);
    run();
    run();

    OS_AsyncRead(first[1], -1, buffer, 10, told, "never");
    printf(" Close: %d\n", OS_Close(first[1], 0));
    run();
    close(first[0]);
}

/* Files are read and written at their current position, whatever the offset is. */
static void offsets(void)
{
    int fd = open("file", O_CREAT | O_RDWR, 0600);
    printf("offsets\n");
    put(fd, "0123456789");
    lseek(fd, 2, SEEK_SET);
    OS_AsyncRead(fd, -1, buffer, 3, told, "-1");
    run();
    printf(" %.3s, now at %ld\n", buffer, (long)lseek(fd, 0, SEEK_CUR));
    OS_AsyncRead(fd, 0, buffer, 2, told, "0");
    run();
    printf(" %.2s, now at %ld\n", buffer, (long)lseek(fd, 0, SEEK_CUR));
    OS_AsyncWrite(fd, 1, "Z", 1, told, "write at 1");
    run();
    if (pread(fd, buffer, 10, 0) != 10)
        return;
    printf(" %.10s, now at %ld\n", buffer, (long)lseek(fd, 0, SEEK_CUR));
    close(fd);
}

static void standard_input(void)
{
    int unused[3];
    fresh("standard input");
    unused[0] = unused[1] = unused[2] = second[0];
    dup2(first[0], 0);
    put(first[1], "abc");
    put(second[1], "wrong");
    printf(" LibInit: %d\n", OS_LibInit(unused));
    printf(" AsyncReadStdin: %d\n", OS_AsyncReadStdin(buffer, 2, told, "stdin"));
    run();
    printf(" %.2s\n", buffer);
    done();
}

static void in_child(void (*part)(void))
{
    int status = -1;
    pid_t child;
    fflush(stdout);
    child = fork();
    if (child == 0) {
        alarm(20);
        part();
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, &status, 0);
    printf(" ended: %d\n", status);
}

int main(void)
{
    printf("LibInit: %d\n", OS_LibInit(NULL));
    printf("LibInit: %d\n", OS_LibInit(NULL));
    in_child(timeouts);
    in_child(procedures);
    in_child(closing_another);
    in_child(closing_itself);
    in_child(results);
    in_child(both_directions);
    in_child(offsets);
    in_child(standard_input);
    OS_LibShutdown();
    OS_LibShutdown();
    printf("LibInit: %d\n", OS_LibInit(NULL));
    return 0;
}
