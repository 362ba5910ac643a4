/*
 * A FastCGI program on fcgi_request.h, with the scenarios of application.c that move bytes. The original has no
 * fcgi_request.h: there the same is done by fcgiapp.h.
 *
 * Usage: requests SCENARIO SIZE THREADS WARM_UP COUNTED, the listen socket as descriptor 0; one thread.
 */
#include "measured.h"

#include <fcgiapp.h>

#include <dlfcn.h>
#include <stddef.h>

typedef struct FCGX_Request request;

static request *(*new_request)(int, int);
static int (*next_request)(request *, int);
static int (*end_request)(request *, int);
static const char *(*parameter)(const request *, const char *, size_t *);
static ptrdiff_t (*read_body)(request *, void *, size_t);
static ptrdiff_t (*write_response)(request *, const void *, size_t);

static FCGX_Request own;
static long size;

/* ---- the same by fcgiapp.h ---- */

static request *old_new(int sock, int flags)
{
    FCGX_Init();
    FCGX_InitRequest(&own, sock, flags);
    return &own;
}

static int old_next(request *r, int timeout)
{
    (void)timeout;
    return FCGX_Accept_r(r) == 0;
}

static int old_end(request *r, int status)
{
    r->appStatus = status;
    FCGX_Finish_r(r);
    return 0;
}

static const char *old_parameter(const request *r, const char *name, size_t *length)
{
    (void)length;
    return FCGX_GetParam(name, r->envp);
}

static ptrdiff_t old_read(request *r, void *buffer, size_t n)
{
    return FCGX_GetStr(buffer, (int)n, r->in);
}

static ptrdiff_t old_write(request *r, const void *data, size_t n)
{
    return FCGX_PutStr(data, (int)n, r->out);
}

/* ---- scenarios ---- */

static void head(request *r)
{
    write_response(r, HEAD, sizeof HEAD - 1);
}

static void hello(request *r)
{
    write_response(r, HEAD "hello\n", sizeof HEAD + 5);
}

static void look_up(request *r)
{
    static const char *const names[] = {
        "QUERY_STRING", "REQUEST_METHOD", "CONTENT_TYPE", "CONTENT_LENGTH", "SCRIPT_NAME",
        "REQUEST_URI", "DOCUMENT_URI", "DOCUMENT_ROOT", "SERVER_PROTOCOL", "REQUEST_SCHEME",
        "GATEWAY_INTERFACE", "SERVER_SOFTWARE", "REMOTE_ADDR", "REMOTE_PORT", "SERVER_ADDR",
        "SERVER_PORT", "SERVER_NAME", "REDIRECT_STATUS", "SCRIPT_FILENAME", "HTTP_HOST",
        "HTTP_USER_AGENT", "HTTP_ACCEPT", "HTTP_ACCEPT_ENCODING", "HTTP_ACCEPT_LANGUAGE", "HTTP_COOKIE"
    };
    size_t length;
    unsigned i, found = 0;
    char text[] = "00 found\n";

    for (i = 0; i < sizeof names / sizeof names[0]; i++)
        found += parameter(r, names[i], &length) != NULL;
    text[0] = (char)('0' + found / 10);
    text[1] = (char)('0' + found % 10);
    head(r);
    write_response(r, text, sizeof text - 1);
}

static void put_pieces(request *r)
{
    long at;

    head(r);
    for (at = 0; at < size; at += 64)
        write_response(r, letters + at, 64);
}

/* Answers a body with its length. */
static void read_all(request *r)
{
    static char *room;
    long total = 0;
    ptrdiff_t n;
    char text[32];
    int length;

    if (room == NULL)
        room = malloc((size_t)size);
    while ((n = read_body(r, room, (size_t)size)) > 0)
        total += n;
    length = snprintf(text, sizeof text, "%ld\n", total);
    head(r);
    write_response(r, text, (size_t)length);
}

static const struct scenario {
    const char *name;
    void (*serve)(request *);
} scenarios[] = {
    { "hello", hello },
    { "look_up", look_up },
    { "put_pieces", put_pieces },
    { "get_str", read_all }
};

/* dlsym returns a pointer to an object, which C does not convert to one to a function. */
static int find(void *function, const char *name)
{
    void *found = dlsym(RTLD_DEFAULT, name);

    memcpy(function, &found, sizeof found);
    return found != NULL;
}

static void choose_api(void)
{
    if (find(&new_request, "FCGX_RequestNew") && find(&next_request, "FCGX_RequestNext")
        && find(&end_request, "FCGX_RequestEnd") && find(&parameter, "FCGX_RequestParam")
        && find(&read_body, "FCGX_RequestRead") && find(&write_response, "FCGX_RequestWrite"))
        return;
    new_request = old_new;
    next_request = old_next;
    end_request = old_end;
    parameter = old_parameter;
    read_body = old_read;
    write_response = old_write;
}

int main(int argc, char **argv)
{
    void (*serve)(request *) = NULL;
    request *r;
    unsigned i;

    for (i = 0; argc == 6 && i < sizeof scenarios / sizeof scenarios[0]; i++)
        if (strcmp(argv[1], scenarios[i].name) == 0)
            serve = scenarios[i].serve;
    if (serve == NULL)
        return 1;
    size = atol(argv[2]);
    warm_up = (unsigned)atol(argv[4]);
    counted = (unsigned)atol(argv[5]);
    if (serve == put_pieces)
        make_letters((size_t)size);
    choose_api();
    r = new_request(0, 0);
    while (next_request(r, -1) == 1) {
        serve(r);
        end_request(r, 0);
        one_request_done();
    }
    return 2;
}
