/*
 * One thread writes to out while another writes to err, reads a body with management records in it,
 * or closes err. The web server reads late. Over a unix socket the original's records stay whole,
 * because it sends no piece that the kernel would split.
 */
#include "two_threads.h"

#define LINES 3000

static int sock;

/* Writes lines to err and flushes each of them. */
static void *write_err(void *stream)
{
    int i;

    for (i = 0; i < LINES; i++)
        if (FCGX_PutS("a line for the log\n", stream) < 0 || FCGX_FFlush(stream) != 0)
            return "err: failed";
    return NULL;
}

static void *close_stream(void *stream)
{
    FCGX_PutS("last words", stream);
    return FCGX_FClose(stream) == 0 ? NULL : "FClose failed";
}

static void accept_one(FCGX_Request *request)
{
    FCGX_InitRequest(request, sock, 0);
    if (FCGX_Accept_r(request) != 0)
        die("Accept_r");
}

/* A client that sends what the case needs, waits until the program has started, and reads. */
struct client {
    int fd, questions, ready[2];
    struct records seen;
};

static void *client(void *argument)
{
    struct client *c = argument;
    char go;

    if (c->questions)
        send_body_with_questions(c->fd);
    if (read(c->ready[0], &go, 1) != 1)
        die("read");
    c->seen = read_records(c->fd);
    return NULL;
}

static void start_client(struct client *c, pthread_t *thread, int questions)
{
    c->fd = connect_here();
    c->questions = questions;
    send_head(c->fd, 1, FCGI_RESPONDER, 0);
    if (!questions)
        send_end(c->fd, FCGI_STDIN, 1);
    if (pipe(c->ready) != 0 || pthread_create(thread, NULL, client, c) != 0)
        die("client");
}

static void together(const char *what, int questions, void *(*first)(void *), void *(*second)(void *))
{
    FCGX_Request request;
    struct client c;
    pthread_t reader, threads[2];
    void *result;

    start_client(&c, &reader, questions);
    accept_one(&request);
    pthread_create(&threads[0], NULL, first, request.out);
    pthread_create(&threads[1], NULL, second, questions ? request.in : request.err);
    if (write(c.ready[1], "", 1) != 1)
        die("write");
    pthread_join(threads[0], &result);
    if (result != NULL)
        printf("%s\n", (char *)result);
    pthread_join(threads[1], &result);
    if (questions)
        printf("body %ld\n", *(long *)result);
    else if (result != NULL)
        printf("%s\n", (char *)result);
    FCGX_Finish_r(&request);
    pthread_join(reader, NULL);
    print_records(what, c.seen);
    close(c.fd);
    close(c.ready[0]);
    close(c.ready[1]);
}

int main(void)
{
    sock = listen_here();
    together("out and err", 0, write_out, write_err);
    together("out and in", 1, write_out, read_body);
    together("out ends while err writes", 0, close_stream, write_err);
    together("err ends while out writes", 0, write_out, close_stream);
    return 0;
}
