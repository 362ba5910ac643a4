/*
 * OS_SpawnChild: the state in which the application starts, and the state after a failure.
 */
#define _GNU_SOURCE
#include <fcgios.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void application(int argc, char **argv)
{
    int out1 = fcntl(1, F_GETFD) >= 0;
    int out2 = fcntl(2, F_GETFD) >= 0;
    int fcgi = OS_IsFcgi(0);
    FILE *report = fopen("report", "w");
    fprintf(report, "arguments %d, named as executed %d, listen socket %d, 1 open %d, 2 open %d\n",
            argc, strcmp(argv[0], getenv("EXECUTED")) == 0, fcgi, out1, out2);
    fprintf(report, "a client connects %d\n", OS_FcgiConnect((char *)"sock") >= 0);
    fclose(report);
    exit(0);
}

static void at_exit(void)
{
    unlink("report");
}

static void spawn(char *path, int fd)
{
    char text[512] = "";
    int status = -1;
    ssize_t size;
    int result, report;

    fflush(stdout);
    unlink("report");
    result = OS_SpawnChild(path, fd);
    printf("SpawnChild: %d\n", result);
    printf("a child %d", waitpid(-1, &status, 0) > 0);
    printf(", its status %s\n", WIFEXITED(status) ? strerror(WEXITSTATUS(status)) : "a signal");
    report = open("report", O_RDONLY);
    size = read(report, text, sizeof text - 1);
    if (size > 0)
        fputs(text, stdout);
    close(report);
    printf("the parent keeps the listen socket %d\n", OS_IsFcgi(fd));
}

int main(int argc, char **argv)
{
    int fd;

    alarm(20);
    if (getenv("EXECUTED") != NULL)
        application(argc, argv);
    atexit(at_exit);
    OS_LibInit(NULL);
    fd = OS_CreateLocalIpcFd("sock", 5);
    setenv("EXECUTED", "/proc/self/exe", 1);
    spawn((char *)"/proc/self/exe", fd);
    spawn((char *)"/nonexistent/application", fd);
    if (symlink("/proc/self/exe", "without-a-slash") != 0)
        return 1;
    setenv("EXECUTED", "without-a-slash", 1);
    spawn((char *)"without-a-slash", fd);
    return 0;
}
