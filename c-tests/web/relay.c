/*
 * Relays between a web server and its application and records the traffic. Its listen socket is
 * descriptor 0; the application listens on behind.sock, in the directory of this program's file.
 * For every connection it creates three files there:
 *   TIME-PID.request  what the web server has sent
 *   TIME-PID.answer   what the application has sent
 *   TIME-PID.closed   created when the web server has closed the connection or its side of it
 * Bytes are written to the file before they are passed on.
 */
#define _GNU_SOURCE

#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static char dir[100];

static int create(const char *name, const char *ending)
{
    char path[200];
    int file;

    snprintf(path, sizeof path, "%s/%s.%s", dir, name, ending);
    file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (file < 0) {
        perror(path);
        exit(1);
    }
    return file;
}

static int connect_behind(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int behind = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%.90s/behind.sock", dir);
    if (connect(behind, (struct sockaddr *)&address, sizeof address) != 0) {
        perror(address.sun_path);
        exit(1);
    }
    return behind;
}

static int write_all(int to, const char *bytes, ssize_t left)
{
    while (left > 0) {
        ssize_t written = write(to, bytes, (size_t)left);

        if (written < 0)
            return -1;
        bytes += written;
        left -= written;
    }
    return 0;
}

/* Passes on one piece. Returns whether more may follow; after an error the connection ends. */
static int pass(int from, int to, int file)
{
    char piece[65536];
    ssize_t got = read(from, piece, sizeof piece);

    if (got > 0) {
        if (write_all(file, piece, got) != 0)
            perror("a file");
        /* The receiver may be gone. Later data from the sender is recorded nevertheless. */
        if (write_all(to, piece, got) == 0)
            return 1;
    }
    shutdown(to, SHUT_WR);
    return got > 0;
}

static void relay(int server)
{
    struct timespec now;
    struct pollfd ends[2] = { { server, POLLIN, 0 }, { -1, POLLIN, 0 } };
    char name[64];
    int files[2], behind = connect_behind(), peers[2] = { behind, server };

    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(name, sizeof name, "%ld.%09ld-%d", (long)now.tv_sec, now.tv_nsec, (int)getpid());
    files[0] = create(name, "request");
    files[1] = create(name, "answer");
    ends[1].fd = behind;
    while (ends[0].fd >= 0 || ends[1].fd >= 0) {
        int side;

        if (poll(ends, 2, -1) < 0)
            return;
        for (side = 0; side < 2; side++) {
            if (ends[side].fd < 0 || ends[side].revents == 0)
                continue;
            if (!pass(ends[side].fd, peers[side], files[side])) {
                ends[side].fd = -1;
                if (side == 0)
                    close(create(name, "closed"));
            }
        }
    }
}

int main(void)
{
    ssize_t length = readlink("/proc/self/exe", dir, sizeof dir - 1);
    int server;

    if (length <= 0)
        return 1;
    dirname(dir);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
    while ((server = accept(0, NULL, NULL)) >= 0) {
        if (fork() == 0) {
            close(0);
            relay(server);
            return 0;
        }
        close(server);
    }
    return 0;
}
