/*
 * The limit: the system calls that an answer needs, and nothing else. Reads as many bytes as a
 * request has and sends a prepared answer.
 *
 * Usage: bare REQUEST_LENGTH ANSWER_FILE KEPT THREADS, the listen socket as descriptor 0. KEPT: the
 * number of kept connections, or 0 for a connection per request. With several THREADS each serves
 * one kept connection. The answer is for request id 1.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static size_t request_length, answer_length;
static char *answer;
static __thread char *room;

/* Serves one request. Returns whether it was read and answered. */
static int exchange(int fd)
{
    size_t left = request_length, sent = 0;

    while (left > 0) {
        ssize_t n = recv(fd, room, left, 0);

        if (n <= 0)
            return 0;
        left -= (size_t)n;
    }
    while (sent < answer_length) {
        ssize_t n = send(fd, answer + sent, answer_length - sent, MSG_NOSIGNAL);

        if (n <= 0)
            return 0;
        sent += (size_t)n;
    }
    return 1;
}

static void connection_per_request(void)
{
    for (;;) {
        int fd = accept4(0, NULL, NULL, SOCK_CLOEXEC);

        if (fd >= 0) {
            exchange(fd);
            close(fd);
        }
    }
}

/* A single connection needs no poll, so this waits in recv. */
static void one_kept(void)
{
    for (;;) {
        int fd = accept4(0, NULL, NULL, SOCK_CLOEXEC);

        while (exchange(fd))
            ;
        close(fd);
    }
}

static void several_kept(void)
{
    struct epoll_event events[16], interest = { EPOLLIN, { .fd = 0 } };
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &interest);
    for (;;) {
        int i, n = epoll_wait(epoll, events, 16, -1);

        for (i = 0; i < n; i++) {
            int fd = events[i].data.fd;

            if (fd == 0) {
                interest.data.fd = accept4(0, NULL, NULL, SOCK_CLOEXEC);
                epoll_ctl(epoll, EPOLL_CTL_ADD, interest.data.fd, &interest);
            } else if (!exchange(fd)) {
                close(fd);
            }
        }
    }
}

/* Runs in each thread. */
static void *serve(void *how)
{
    room = malloc(request_length);
    if (room == NULL)
        exit(1);
    (*(void (**)(void))how)();
    return NULL;
}

int main(int argc, char **argv)
{
    FILE *file = argc == 5 ? fopen(argv[2], "rb") : NULL;
    static void (*how)(void);
    int kept, threads;

    if (file == NULL)
        return 1;
    request_length = (size_t)atol(argv[1]);
    kept = atoi(argv[3]);
    threads = atoi(argv[4]);
    fseek(file, 0, SEEK_END);
    answer_length = (size_t)ftell(file);
    rewind(file);
    answer = malloc(answer_length);
    if (answer == NULL || fread(answer, 1, answer_length, file) != answer_length)
        return 1;
    fclose(file);
    how = kept == 0 ? connection_per_request : kept == 1 || threads > 1 ? one_kept : several_kept;
    while (--threads > 0) {
        pthread_t thread;

        if (pthread_create(&thread, NULL, serve, &how) != 0)
            return 1;
    }
    serve(&how);
    return 0;
}
