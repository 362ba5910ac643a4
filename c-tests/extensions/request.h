/* What the programs in this directory share, beside the web server of ../fcgi_client.h. */
#ifndef REQUEST_H
#define REQUEST_H

#include "../fcgi_client.h"
#include <fcgi_request.h>

#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>

/* Returns a result in words. */
static inline const char *result_text(long result)
{
    static char number[32];

    switch (result) {
    case FCGX_SHUT_DOWN: return "FCGX_SHUT_DOWN";
    case FCGX_CANCELLED: return "FCGX_CANCELLED";
    case FCGX_INTERRUPTED: return "FCGX_INTERRUPTED";
    case FCGX_GONE: return "FCGX_GONE";
    case FCGX_BROKEN: return "FCGX_BROKEN";
    case FCGX_NO_REQUEST: return "FCGX_NO_REQUEST";
    case -EINVAL: return "-EINVAL";
    case -EAGAIN: return "-EAGAIN";
    case -EBADF: return "-EBADF";
    case -ENOTSOCK: return "-ENOTSOCK";
    }
    sprintf(number, "%ld", result);
    return number;
}

static inline void show(const char *what, long result)
{
    printf("%s: %s\n", what, result_text(result));
}

static inline long milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000L + now.tv_nsec / 1000000L;
}

/* Returns the kernel's number of the calling thread. */
static inline int thread_number(void)
{
    return (int)syscall(SYS_gettid);
}

/* Waits until a thread of a process is asleep in a system call. */
static inline void await_sleep(pid_t process, int thread)
{
    char path[60], state = '?';
    long begin = milliseconds();

    sprintf(path, "/proc/%d/task/%d/stat", (int)process, thread);
    while (state != 'S') {
        FILE *stat = fopen(path, "r");

        if (stat == NULL || fscanf(stat, "%*d (%*[^)]) %c", &state) != 1)
            die(path);
        fclose(stat);
        if (milliseconds() - begin > PATIENCE_MS)
            die("the thread does not wait");
    }
}

/* Sends a request without a body, whose connection is kept. */
static inline void send_kept(int client, int id)
{
    send_head(client, id, FCGI_RESPONDER, FCGI_KEEP_CONN);
    send_end(client, FCGI_STDIN, id);
}

#endif
