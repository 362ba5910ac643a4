/* Asynchronous operations and fork: a child inherits its parent's operations and never waits for
 * its threads. */
#include "fcgi_client.h"

#include <fcgios.h>
#include <pthread.h>
#include <semaphore.h>

#define FORKS 500

static char buffer[10], threads_buffer[10];
static sem_t stop;

static void done(ClientData data, int len)
{
    printf("%s: %d bytes\n", (const char *)data, len);
    fflush(stdout);
}

static void do_io(const char *who)
{
    struct timeval second = { 1, 0 };

    printf("%s: OS_DoIo %d\n", who, OS_DoIo(&second));
    fflush(stdout);
}

static void armed_before_the_fork(void)
{
    int fds[2];
    pid_t child;

    if (pipe(fds) != 0 || write(fds[1], "12", 2) != 2)
        die("pipe");
    printf("OS_AsyncRead %d\n", OS_AsyncRead(fds[0], 0, buffer, 1, done, (ClientData)"the read"));
    fflush(stdout);
    child = fork();
    if (child == 0) {
        do_io("child");
        _exit(0);
    }
    print_child_end("child", child);
    fflush(stdout);
    do_io("parent");
    OS_Close(fds[0], 0);
    OS_Close(fds[1], 0);
}

static void never(ClientData data, int len)
{
    (void)data;
    (void)len;
}

/* Keeps the table of operations in use by adding and cancelling operations. */
static void *arm_and_cancel(void *argument)
{
    int fd = *(int *)argument;

    while (sem_trywait(&stop) != 0) {
        if (OS_AsyncRead(fd, 0, threads_buffer, 1, never, NULL) != 0)
            die("OS_AsyncRead");
        OS_CloseRead(fd);
    }
    return NULL;
}

static void forks_at_any_moment(void)
{
    int fds[2], i, status, hung = 0;
    pthread_t thread;

    sem_init(&stop, 0, 0);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
        die("socketpair");
    if (pthread_create(&thread, NULL, arm_and_cancel, &fds[0]) != 0)
        die("pthread_create");
    for (i = 0; i < FORKS; i++) {
        pid_t child = fork();

        if (child < 0)
            die("fork");
        if (child == 0) {
            alarm(PATIENCE_MS / 1000);
            _exit(OS_Close(fds[1], 0));
        }
        if (waitpid(child, &status, 0) != child)
            die("waitpid");
        hung += status != 0;
    }
    sem_post(&stop);
    pthread_join(thread, NULL);
    printf("%d of %d children did not come to their end\n", hung, FORKS);
}

int main(void)
{
    OS_LibInit(NULL);
    armed_before_the_fork();
    forks_at_any_moment();
    return 0;
}
