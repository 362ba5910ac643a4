/*
 * OS_Accept: address lists, signals, unix peers that stay silent, and shutdown requests.
 */
#define _GNU_SOURCE
#include <fcgios.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_in address;

static int listen_tcp(void)
{
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(fd, (struct sockaddr *)&address, sizeof address);
    listen(fd, 50);
    getsockname(fd, (struct sockaddr *)&address, &size);
    return fd;
}

static int connect_tcp(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    connect(fd, (struct sockaddr *)&address, sizeof address);
    return fd;
}

static const char *accepted(int fd)
{
    if (fd >= 0) {
        close(fd);
        return "a connection";
    }
    return strerror(errno);
}

/* The listen socket is non-blocking, so OS_Accept fails with EAGAIN after it has refused a
 * connection. */
static void list(const char *addresses)
{
    int fd = listen_tcp();
    int client = connect_tcp();
    fcntl(fd, F_SETFL, O_NONBLOCK);
    printf("list '%s': %s\n", addresses ? addresses : "(null)",
           accepted(OS_Accept(fd, 0, addresses)));
    close(client);
    close(fd);
}

static void lists(void)
{
    static const char *const all[] = {
        "", "127.0.0.1", "127.0.0.2", " 127.0.0.1", "127.0.0.1 ", "127.0.0.2,127.0.0.1",
        "127.0.0.2, 127.0.0.1", "127.0.0.1 ,127.0.0.2", "127.0.0.1,", ",127.0.0.1", ",", " ",
        "foo", "foo,127.0.0.1", "localhost", "127.1", "0x7f.1", "0177.0.0.1", "2130706433",
        "127.0.0.1x", "127.0.0.1 127.0.0.2", "127.0.0.2 127.0.0.1", "127.0.0.0.1", "127..1",
        "127.0.0.257", "127.256.1", "127.0.1"};
    size_t i;
    list(NULL);
    for (i = 0; i < sizeof all / sizeof *all; i++)
        list(all[i]);
}

/* Peers on unix sockets must send something soon. */
static void unix_peers(void)
{
    int fd = OS_CreateLocalIpcFd("sock", 5);
    int silent, speaking, ended;
    char byte;

    speaking = OS_FcgiConnect("sock");
    if (write(speaking, "x", 1) != 1)
        perror("write");
    printf("unix, with a list: %s\n", accepted(OS_Accept(fd, 0, "192.0.2.1")));
    ended = OS_FcgiConnect("sock");
    shutdown(ended, SHUT_WR);
    printf("unix, half closed: %s\n", accepted(OS_Accept(fd, 0, NULL)));
    close(ended);
    close(speaking);

    fcntl(fd, F_SETFL, O_NONBLOCK);
    silent = OS_FcgiConnect("sock");
    speaking = OS_FcgiConnect("sock");
    if (write(speaking, "x", 1) != 1)
        perror("write");
    printf("unix, a silent peer first: %s\n", accepted(OS_Accept(fd, 0, NULL)));
    printf("the silent peer reads %d\n", (int)read(silent, &byte, 1));
    close(silent);
    close(speaking);
    close(fd);
}

static void on_signal(int number)
{
    (void)number;
}

/* Sends signals while the parent lives, at least one of them while it waits, and then connects. */
static pid_t start_signalling(int number, int times)
{
    pid_t child, parent = getpid();
    fflush(stdout);
    child = fork();
    if (child == 0) {
        while (times-- > 0 && usleep(20000) == 0 && getppid() == parent)
            kill(parent, number);
        connect_tcp();
        alarm(60);
        pause();
    }
    return child;
}

static void stop(pid_t child)
{
    kill(child, SIGKILL);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
}

static void signals(void)
{
    struct sigaction action;
    int fd = listen_tcp();
    pid_t child;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigaction(SIGHUP, &action, NULL);
    child = start_signalling(SIGHUP, 500);
    printf("fail_on_intr: %s\n", accepted(OS_Accept(fd, 1, NULL)));
    stop(child);
    child = start_signalling(SIGHUP, 5);
    printf("not fail_on_intr: %s\n", accepted(OS_Accept(fd, 0, NULL)));
    stop(child);
    close(fd);
}

static void bad_descriptors(void)
{
    int ends[2];
    if (pipe(ends) != 0)
        return;
    printf("closed: %s\n", accepted(OS_Accept(99, 0, NULL)));
    printf("negative: %s\n", accepted(OS_Accept(-1, 0, NULL)));
    printf("pipe: %s\n", accepted(OS_Accept(ends[0], 0, NULL)));
    printf("not listening: %s\n", accepted(OS_Accept(socket(AF_INET, SOCK_STREAM, 0), 0, NULL)));
}

static void shutting_down(void)
{
    int fd = listen_tcp();
    int client;
    pid_t child = start_signalling(SIGUSR1, 500);
    printf("SIGUSR1: %d\n", OS_Accept(fd, 0, NULL));
    stop(child);
    client = connect_tcp();
    printf("with a connection waiting: %d\n", OS_Accept(fd, 0, NULL));
    OS_LibInit(NULL);
    printf("initialised once more: %d\n", OS_Accept(fd, 0, NULL));
    close(client);
}

int main(void)
{
    alarm(60);
    setenv("LIBFCGI_IS_AF_UNIX_KEEPER_POLL_TIMEOUT", "100", 1);
    OS_LibInit(NULL);
    lists();
    unix_peers();
    signals();
    bad_descriptors();
    shutting_down();
    return 0;
}
