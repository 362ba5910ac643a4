/*
 * Names that are invalid for listening or connecting, each tried in its own process.
 *
 * differs: `FCGX_OpenSocket` that fails
 * differs: File with contents at the path of a socket
 */
#define _GNU_SOURCE
#include <fcgios.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void attempt(int listening, const char *name)
{
    int status;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        int fd;
        alarm(20);
        close(2); /* The reason is written to stderr, which may be closed. */
        errno = 0;
        fd = listening ? OS_CreateLocalIpcFd(name, 5) : OS_FcgiConnect((char *)name);
        printf("%s '%.24s': %s, %s\n", listening ? "listen" : "connect", name,
               fd < 0 ? "-1" : "descriptor", fd < 0 ? strerror(errno) : "-");
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, &status, 0);
    if (status != 0)
        printf("%s '%.24s': the process ended\n", listening ? "listen" : "connect", name);
}

static void show(const char *name)
{
    struct stat st;
    char text[5] = "";
    int fd = open(name, O_RDONLY);
    if (read(fd, text, 4) < 0)
        strcpy(text, "-");
    close(fd);
    printf("%s: %s, '%s'\n", name,
           lstat(name, &st) != 0     ? "gone"
           : S_ISREG(st.st_mode)     ? "file"
           : S_ISLNK(st.st_mode)     ? "link"
           : S_ISSOCK(st.st_mode)    ? "socket"
                                     : "other",
           text);
}

static void make_file(const char *name)
{
    int fd = open(name, O_CREAT | O_WRONLY, 0600);
    if (write(fd, "data", 4) != 4)
        perror("write");
    close(fd);
}

int main(void)
{
    char path[201];

    OS_LibInit(NULL);
    make_file("file");
    make_file("target");
    mkdir("dir", 0700);
    if (symlink("target", "link") != 0 || symlink("nowhere", "dangling") != 0)
        return 1;
    attempt(1, "file");
    attempt(1, "link");
    attempt(1, "dangling");
    attempt(1, "dir");
    show("file");
    show("link");
    show("target");

    memset(path, 'x', 200);
    path[200] = '\0';
    attempt(1, path);
    attempt(0, path);
    attempt(1, "no/where");
    attempt(0, "no/where");
    attempt(1, ":70000");
    attempt(0, ":70000");
    attempt(1, "not a host:9000");
    attempt(0, "not a host:9000");
    attempt(1, "a:12x");
    attempt(0, "file");
    return 0;
}
