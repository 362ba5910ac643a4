/* Serves the listen socket on descriptor 0 in one thread with epoll: no request waits for another one. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <fcgi_request.h>

/* A request in progress, and how far its answer is. */
struct work {
    struct FCGX_Request *request;
    int descriptor; /* of its connection; -1 before that is watched */
    int status;
    enum { COPIES_BODY, LOGS, ENDS } next;
    ptrdiff_t (*write)(struct FCGX_Request *, const void *, size_t);
    const char *unwritten;
    size_t length;
    char *head;
    char piece[16384];
};

static int epoll;
static size_t requests;

static struct work *new_work(void)
{
    struct work *work = calloc(1, sizeof *work);

    if (work != NULL) {
        work->request = FCGX_RequestNew(0, FCGX_TAKE_SIGNALS);
        work->descriptor = -1;
        work->write = FCGX_RequestWrite;
    }
    if (work == NULL || work->request == NULL) {
        fputs("echo: out of memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    FCGX_RequestSetNonblocking(work->request, 1);
    return work;
}

static void free_work(struct work *work)
{
    FCGX_RequestFree(work->request);
    free(work->head);
    free(work);
}

static void put_line(FILE *head, const char *name, const char *value, size_t length)
{
    fprintf(head, "%s: ", name);
    fwrite(value, 1, length, head);
    fputs("\r\n", head);
}

/* Makes the head of the answer, to be written. Returns 0, or a negative result. */
static int make_head(struct work *work)
{
    size_t method_length = 0, query_length = 0, value_length = 0, count = 0;
    const char *method = FCGX_RequestParam(work->request, "REQUEST_METHOD", &method_length);
    const char *query = FCGX_RequestParam(work->request, "QUERY_STRING", &query_length);
    const char *value = query == NULL ? NULL : FCGX_RequestParam(work->request, query, &value_length);
    FILE *head = open_memstream(&work->head, &work->length);

    if (head == NULL) {
        return -errno;
    }
    while (FCGX_RequestParamAt(work->request, count, NULL, NULL) != NULL) {
        count++;
    }
    put_line(head, "Content-Type", "application/octet-stream", 24);
    put_line(head, "X-Method", method, method_length);
    put_line(head, "X-Query", query, query_length);
    fprintf(head, "X-Params: %zu\r\n", count);
    if (value != NULL) {
        put_line(head, "X-Value", value, value_length);
    }
    fputs("\r\n", head);
    if (fclose(head) != 0) {
        return -errno;
    }
    work->unwritten = work->head;
    work->status = query != NULL && strcmp(query, "status=7") == 0 ? 7 : 0;
    return 0;
}

/* Has bytes written before anything else is done. */
static void will_write(struct work *work, const char *bytes, size_t length)
{
    work->unwritten = bytes;
    work->length = length;
}

/* Reads a piece of the body, or finds its end. Returns a negative result on failure. */
static ptrdiff_t read_piece(struct work *work)
{
    ptrdiff_t result = FCGX_RequestRead(work->request, work->piece, sizeof work->piece);

    if (result > 0) {
        will_write(work, work->piece, (size_t) result);
    } else if (result == 0) {
        work->next = LOGS;
    }
    return result;
}

/* Takes one step. Returns a negative result on failure; -EAGAIN with what to wait for. */
static ptrdiff_t take_step(struct work *work, uint32_t *events)
{
    static const char line[] = "served by C\n";
    ptrdiff_t result;

    *events = EPOLLOUT;
    if (work->length > 0) {
        result = work->write(work->request, work->unwritten, work->length);
        if (result > 0) {
            will_write(work, work->unwritten + result, work->length - (size_t) result);
        }
    } else if (work->next == COPIES_BODY) {
        result = read_piece(work);
        if (result == -EAGAIN) {
            /* The web server gets what there is until the rest comes. */
            *events = FCGX_RequestFlush(work->request) == -EAGAIN ? EPOLLIN | EPOLLOUT : EPOLLIN;
        }
    } else {
        work->write = FCGX_RequestLog;
        will_write(work, line, sizeof line - 1);
        work->next = ENDS;
        result = 0;
    }
    return result;
}

/* Waits for one of these events on the connection of a request. */
static void watch(struct work *work, uint32_t events)
{
    struct epoll_event event = { .events = events | EPOLLONESHOT, .data.ptr = work };
    int operation = work->descriptor < 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

    work->descriptor = FCGX_RequestInfo(work->request, FCGX_INFO_DESCRIPTOR);
    if (epoll_ctl(epoll, operation, work->descriptor, &event) != 0) {
        perror("echo: epoll_ctl");
        exit(EXIT_FAILURE);
    }
}

/* Goes on with a request as far as possible, and frees it at its end. */
static void go_on(struct work *work)
{
    uint32_t events = EPOLLOUT;
    ptrdiff_t result = 0;

    while (result >= 0 && (work->length > 0 || work->next != ENDS)) {
        result = take_step(work, &events);
    }
    if (result >= 0) {
        result = FCGX_RequestEnd(work->request, work->status);
    }
    if (result == -EAGAIN) {
        watch(work, events);
        return;
    }
    if (result < 0) {
        fprintf(stderr, "echo: %s\n", FCGX_ErrorText((int) result));
    }
    if (work->descriptor >= 0) {
        /* A kept connection stays open. */
        epoll_ctl(epoll, EPOLL_CTL_DEL, work->descriptor, NULL);
    }
    free_work(work);
    requests--;
}

/* Begins all requests that have come. Returns 0, or the negative result after which none will come. */
static int begin_new(struct work **spare)
{
    int result;

    while ((result = FCGX_RequestNext((*spare)->request, 0)) == 1) {
        struct work *work = *spare;

        *spare = new_work();
        requests++;
        result = make_head(work);
        if (result < 0) {
            fprintf(stderr, "echo: %s\n", FCGX_ErrorText(result));
            free_work(work);
            requests--;
        } else {
            go_on(work);
        }
    }
    return result;
}

int main(void)
{
    struct work *spare = new_work();
    int listener = FCGX_PollDescriptor(0);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
    int next = listener < 0 ? listener : 0;

    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (next == 0 && (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0)) {
        next = -errno;
    }
    while (next == 0 || requests > 0) {
        if (epoll_wait(epoll, &event, 1, -1) != 1) {
            continue; /* A signal also makes the listener readable. */
        }
        if (event.data.ptr != NULL) {
            go_on(event.data.ptr);
        } else if ((next = begin_new(&spare)) < 0) {
            epoll_ctl(epoll, EPOLL_CTL_DEL, listener, NULL);
        }
    }
    if (next != FCGX_SHUT_DOWN) {
        fprintf(stderr, "echo: %s\n", FCGX_ErrorText(next));
    }
    free_work(spare);
    return next == FCGX_SHUT_DOWN ? EXIT_SUCCESS : EXIT_FAILURE;
}
