/*
 * The program's own files, which worker.c puts at descriptor numbers that the library may use.
 */
#include <fcgiapp.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST 64

/* The two descriptors are MOST or higher. SIGUSR2's handler puts the file at each number that it
   would otherwise close if puts_own is set. */
static int own_file = -1, own_epoll = -1, puts_own;

static int move_up(int fd)
{
    int moved = fcntl(fd, F_DUPFD, MOST);

    close(fd);
    return moved;
}

/* Makes the file and the epoll instance; the instance watches a pipe that never has an event. */
static void have_own_files(void)
{
    struct epoll_event event = { EPOLLIN, { .u64 = 1 } };
    int ends[2];

    own_file = move_up(open("own", O_RDWR | O_CREAT, 0600));
    own_epoll = move_up(epoll_create1(0));
    if (pipe(ends) != 0)
        abort();
    ends[0] = move_up(ends[0]), ends[1] = move_up(ends[1]);
    if (epoll_ctl(own_epoll, EPOLL_CTL_ADD, ends[0], &event) != 0)
        abort();
}

static void put_over(FCGX_Request *request)
{
    int own = FCGX_GetParam("EPOLL", request->envp) != NULL ? own_epoll : own_file;
    const char *next = FCGX_GetParam("OVER", request->envp);

    while (next != NULL) {
        if (dup2(own, atoi(next)) < 0)
            abort();
        next = strchr(next, ',');
        next = next == NULL ? NULL : next + 1;
    }
}

static void on_signal_close_all(int unused)
{
    int fd, error = errno;

    (void)unused;
    for (fd = 3; fd < MOST; fd++)
        if (puts_own)
            dup2(own_file, fd);
        else
            close(fd);
    if (mkdir("done", 0700) != 0)
        abort();
    errno = error;
}
