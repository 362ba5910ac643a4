/*
 * A FastCGI program on fcgi_request.h, for the tests that talk to worker.c and careful.c. Usage: requests [OPTIONS]
 *
 *   -o PATH   make the listen socket; without it, it is descriptor 0
 *   -t N      serve with N threads; without it, the first one serves
 *   -e        each thread has an event loop with all of its requests; without it, it serves one after the other
 *   -f N      have at most N open descriptors
 *   -b        if the body cannot be read to its end, "\nbroken" follows what was read
 *
 * The answer to a request is its body. Parameters that change this:
 *   READ=n    read only n bytes of the body
 *   SIZE=n    answer with n bytes 'x' instead
 * When FCGX_RequestNext fails, the thread prints the result on a line and ends when its requests have.
 */
#define _GNU_SOURCE
#include <fcgi_request.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MOST_THREADS 64
#define PIECE 5000

static int listen_socket, says_broken;
static char piece[PIECE]; /* of 'x', from main */

/* A request in progress, and how far its answer is. */
struct work {
    struct FCGX_Request *request;
    int is_ending;
    int has_size;
    long left;        /* of SIZE or READ */
    const char *from; /* what is to be written next */
    size_t length;
    char body[PIECE];
};

static void begin(struct work *w)
{
    const char *size = FCGX_RequestParam(w->request, "SIZE", NULL);
    const char *limit = size != NULL ? size : FCGX_RequestParam(w->request, "READ", NULL);

    w->is_ending = 0;
    w->has_size = size != NULL;
    w->left = limit == NULL ? LONG_MAX : atol(limit);
    w->length = 0;
}

/* Takes the next piece of the answer. Returns 0 at its end, or a failure. */
static ptrdiff_t take_piece(struct work *w)
{
    ptrdiff_t n = w->left < PIECE ? w->left : PIECE;

    w->from = w->has_size ? piece : w->body;
    if (!w->has_size)
        n = FCGX_RequestRead(w->request, w->body, (size_t)n);
    w->length = n > 0 ? (size_t)n : 0;
    w->left -= (long)w->length;
    return n;
}

/* Writes the piece, or a part of it. */
static ptrdiff_t write_piece(struct work *w)
{
    ptrdiff_t n = FCGX_RequestWrite(w->request, w->from, w->length);

    if (n > 0) {
        w->from += n;
        w->length -= (size_t)n;
    }
    return n;
}

/* Goes on as far as possible. Returns 0 at the end of the request, or what to poll its connection for. */
static short go_on(struct work *w)
{
    while (!w->is_ending) {
        int writes = w->length > 0;
        ptrdiff_t n = writes ? write_piece(w) : take_piece(w);

        if (n == -EAGAIN && writes)
            return POLLOUT;
        if (n == -EAGAIN) /* The web server gets what there is, while its body is awaited. */
            return FCGX_RequestFlush(w->request) == -EAGAIN ? POLLIN | POLLOUT : POLLIN;
        w->is_ending = n <= 0;
        if (n < 0 && !writes && says_broken)
            FCGX_RequestWrite(w->request, "\nbroken", 7);
    }
    return FCGX_RequestEnd(w->request, 0) == -EAGAIN ? POLLOUT : 0;
}

static struct FCGX_Request *new_request(void)
{
    struct FCGX_Request *request;

    while ((request = FCGX_RequestNew(listen_socket, 0)) == NULL)
        sched_yield(); /* a test makes allocations fail */
    return request;
}

static void *one_after_the_other(void *unused)
{
    struct work w = { .request = new_request() };
    int result;

    while ((result = FCGX_RequestNext(w.request, -1)) == 1) {
        begin(&w);
        go_on(&w);
    }
    FCGX_RequestFree(w.request);
    printf("%d\n", result);
    fflush(stdout);
    return unused;
}

/* ---- the event loop ---- */

/* The requests in progress, and behind them those that are ready for another one. The descriptor to poll
 * for new ones is fds[0], and that of works[i] fds[i + 1]. */
struct loop {
    struct work **works;
    struct pollfd *fds;
    int busy, made, result;
};

static void make_room(struct loop *l)
{
    struct work *w = calloc(1, sizeof *w);

    l->works = realloc(l->works, (size_t)(l->made + 1) * sizeof *l->works);
    l->fds = realloc(l->fds, (size_t)(l->made + 2) * sizeof *l->fds);
    w->request = new_request();
    FCGX_RequestSetNonblocking(w->request, 1);
    l->works[l->made++] = w;
}

/* Lets a request go on; the last one takes the place of one that has ended. */
static void serve_in(struct loop *l, int i)
{
    struct work *w = l->works[i];
    short events = go_on(w);

    l->fds[i + 1].fd = FCGX_RequestInfo(w->request, FCGX_INFO_DESCRIPTOR);
    l->fds[i + 1].events = events;
    l->fds[i + 1].revents = 0;
    if (events == 0) {
        l->busy--;
        l->works[i] = l->works[l->busy];
        l->works[l->busy] = w;
        l->fds[i + 1] = l->fds[l->busy + 1];
    }
}

/* Takes all new requests. */
static void take_new(struct loop *l)
{
    for (;;) {
        if (l->busy == l->made)
            make_room(l);
        l->result = FCGX_RequestNext(l->works[l->busy]->request, 0);
        if (l->result != 1)
            return;
        begin(l->works[l->busy++]);
        serve_in(l, l->busy - 1);
    }
}

static void *in_a_loop(void *unused)
{
    struct loop l = { NULL, NULL, 0, 0, 0 };
    int i, descriptor;

    make_room(&l);
    while ((descriptor = FCGX_PollDescriptor(listen_socket)) < 0)
        sched_yield(); /* a test makes calls fail */
    while (l.result >= 0 || l.busy > 0) {
        l.fds[0].fd = l.result >= 0 ? descriptor : -1;
        l.fds[0].events = POLLIN;
        if (poll(l.fds, (nfds_t)l.busy + 1, -1) < 0)
            continue;
        for (i = l.busy - 1; i >= 0; i--)
            if (l.fds[i + 1].revents != 0)
                serve_in(&l, i);
        if (l.fds[0].revents != 0)
            take_new(&l);
    }
    for (i = 0; i < l.made; i++) {
        FCGX_RequestFree(l.works[i]->request);
        free(l.works[i]);
    }
    free(l.works);
    free(l.fds);
    printf("%d\n", l.result);
    fflush(stdout);
    return unused;
}

/* Limits the descriptors; the caller of the test may have left others open. */
static void have_descriptors(rlim_t most)
{
    struct rlimit files = { most, most };
    int fd;

    for (fd = 3; fd < 1024; fd++)
        close(fd);
    setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv)
{
    void *(*serve)(void *) = one_after_the_other;
    pthread_t ids[MOST_THREADS];
    int option, threads = 0, i;

    memset(piece, 'x', sizeof piece);
    while ((option = getopt(argc, argv, "o:t:ef:b")) != -1) {
        if (option == 'o')
            listen_socket = FCGX_Listen(optarg, 64);
        else if (option == 't')
            threads = atoi(optarg);
        else if (option == 'e')
            serve = in_a_loop;
        else if (option == 'f')
            have_descriptors((rlim_t)atoi(optarg));
        else if (option == 'b')
            says_broken = 1;
        else
            return 2;
    }
    if (listen_socket < 0 || threads > MOST_THREADS)
        return 2;
    if (threads == 0)
        serve(NULL);
    for (i = 0; i < threads; i++)
        if (pthread_create(&ids[i], NULL, serve, NULL) != 0)
            return 2;
    for (i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    return 0;
}
