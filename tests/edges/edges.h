/*
 * The edges of the C API: situations for every kind of parameter, and reports on what can be seen
 * after a call. The calls themselves are in calls.h, which tests/edges/main.rs generates from the
 * headers.
 *
 * Every case runs in its own child, which has not used the library before. A crash is an outcome
 * like any other.
 */
#ifndef EDGES_H
#define EDGES_H

#define _GNU_SOURCE
#define NO_FCGI_DEFINES
#include <fcgi_config.h>
#include <fcgi_stdio.h>
#include <fcgios.h>
#include "fcgi_client.h"

#include <limits.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>

/* One value of a parameter: a number, or the result of `make`. */
struct situation {
    const char *name;
    long (*make)(void);
    long number;
};

/* The largest number of parameters of a function, including its world. */
#define MOST 8

struct function {
    const char *name;
    void (*call)(const struct situation *const *chosen);
    const struct situation *kinds[MOST + 1];
};

static inline long value(const struct situation *situation)
{
    return situation->make != NULL ? situation->make() : situation->number;
}

/* ---- the report of a child ---- */

static char report[4096];
static size_t report_length;

__attribute__((format(printf, 1, 2)))
static inline void say(const char *format, ...)
{
    va_list arg;

    va_start(arg, format);
    report_length += (size_t)vsnprintf(report + report_length, sizeof report - report_length,
                                       format, arg);
    va_end(arg);
    if (report_length >= sizeof report)
        die("a report is too long");
}

static inline void say_errno(int code)
{
    if (code != 0)
        say(" %s", strerrorname_np(code));
}

/* Reports a number. A negative one is a failure, and errno has the reason. */
static inline void say_number(long result, int code)
{
    say("%ld", result);
    if (result < 0)
        say_errno(code);
}

static inline void say_done(int code)
{
    say("done");
    say_errno(code);
}

static inline void say_pointer(const void *result, int code)
{
    say("%s", result != NULL ? "a pointer" : "NULL");
    if (result == NULL)
        say_errno(code);
}

/* ---- the web server's end ---- */

/* The peer of the request's connection or of a descriptor. */
static int peer = -1;

static inline void pair_of_sockets(int pair[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        die("socketpair");
}

/* Returns a listen socket with a name chosen by the system. */
static inline int listening(void)
{
    struct sockaddr_un address = { AF_UNIX, "" };
    int sock = socket(AF_UNIX, SOCK_STREAM, 0);

    if (sock < 0 || bind(sock, (struct sockaddr *)&address, sizeof(sa_family_t)) != 0
        || listen(sock, 5) != 0)
        die("listen");
    return sock;
}

static inline int connected_to(int sock)
{
    struct sockaddr_un address;
    socklen_t length = sizeof address;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (getsockname(sock, (struct sockaddr *)&address, &length) != 0 || fd < 0
        || connect(fd, (struct sockaddr *)&address, length) != 0)
        die("connect");
    return fd;
}

#define BODY "line one\nline two"

static inline void send_whole(int fd, int role, int flags)
{
    send_head(fd, 1, role, flags);
    send_text(fd, FCGI_STDIN, 1, BODY);
    send_end(fd, FCGI_STDIN, 1);
    if (role == FCGI_FILTER) {
        send_text(fd, FCGI_DATA, 1, "the data");
        send_end(fd, FCGI_DATA, 1);
    }
    if (flags == 0)
        send_no_more(fd);
}

/* Returns a listen socket with two requests in its backlog. */
static inline int with_a_request(int role)
{
    int sock = listening();

    peer = connected_to(sock);
    send_whole(peer, role, 0);
    send_whole(connected_to(sock), FCGI_RESPONDER, 0);
    return sock;
}

/* Reports the received records: successive ones of a kind once, the end of a stream as "end". */
static inline void about_peer(void)
{
    struct reply reply = { NULL, 0, 0 };
    size_t at = 0, length;
    int last = -1;

    while (peer >= 0 && reply_read(peer, &reply, 0))
        ;
    while ((length = record_at(&reply, at)) > 0) {
        int type = reply.bytes[at + 1], is_end = !is_content(reply.bytes + at);

        if (type * 2 + is_end != last)
            say("%s%s%s", last < 0 ? "; sent " : ", ", record_name(type),
                is_end && type != FCGI_END_REQUEST ? " end" : "");
        last = type * 2 + is_end;
        at += length;
    }
    if (reply.closed)
        say("; hung up");
}

/* ---- requests ---- */

static FCGX_Request one_request;

static inline FCGX_Request *fresh(int sock)
{
    FCGX_InitRequest(&one_request, sock, 0);
    return &one_request;
}

static inline FCGX_Request *accepted(int role, int flags)
{
    int pair[2];

    FCGX_Init();
    pair_of_sockets(pair);
    peer = pair[1];
    send_whole(peer, role, flags);
    fresh(-1)->ipcFd = pair[0];
    one_request.keepConnection = 1;
    if (FCGX_Accept_r(&one_request) != 0)
        die("FCGX_Accept_r");
    return &one_request;
}

static inline FCGX_Request *responder(void)
{
    return accepted(FCGI_RESPONDER, 0);
}

static inline long request_zeroed(void)
{
    return (long)&one_request;
}

static inline long request_before_init(void)
{
    return (long)fresh(with_a_request(FCGI_RESPONDER));
}

static inline long request_fresh(void)
{
    FCGX_Init();
    return (long)fresh(with_a_request(FCGI_RESPONDER));
}

static inline long request_without_socket(void)
{
    FCGX_Init();
    return (long)fresh(-1);
}

static inline long request_on_a_file(void)
{
    FCGX_Init();
    return (long)fresh(open("file", O_RDONLY));
}

static inline long request_accepted(void)
{
    return (long)responder();
}

static inline long request_kept(void)
{
    return (long)accepted(FCGI_RESPONDER, FCGI_KEEP_CONN);
}

static inline long request_finished(void)
{
    FCGX_Finish_r(responder());
    return (long)&one_request;
}

static inline long request_kept_finished(void)
{
    FCGX_Finish_r(accepted(FCGI_RESPONDER, FCGI_KEEP_CONN));
    send_whole(peer, FCGI_RESPONDER, 0);
    return (long)&one_request;
}

static inline long request_freed(void)
{
    FCGX_Free(responder(), 1);
    return (long)&one_request;
}

static inline long request_freed_open(void)
{
    FCGX_Free(responder(), 0);
    return (long)&one_request;
}

static inline long request_detached(void)
{
    FCGX_Detach(responder());
    return (long)&one_request;
}

static inline long request_closed(void)
{
    FCGX_FClose(responder()->out);
    FCGX_FClose(one_request.err);
    return (long)&one_request;
}

static const struct situation requests[] = {
    { "NULL", NULL, 0 },
    { "zeroed", request_zeroed, 0 },
    { "before-init", request_before_init, 0 },
    { "fresh", request_fresh, 0 },
    { "fresh-without-socket", request_without_socket, 0 },
    { "fresh-on-a-file", request_on_a_file, 0 },
    { "accepted", request_accepted, 0 },
    { "accepted-to-keep", request_kept, 0 },
    { "detached", request_detached, 0 },
    { "streams-closed", request_closed, 0 },
    { "finished", request_finished, 0 },
    { "finished-and-kept", request_kept_finished, 0 },
    { "freed", request_freed, 0 },
    { "freed-open", request_freed_open, 0 },
    { NULL, NULL, 0 }
};

static inline void about_request(const FCGX_Request *request)
{
    if (request == NULL)
        return;
    say("; in %d out %d err %d", request->in != NULL, request->out != NULL, request->err != NULL);
    say(", ipcFd %s", request->ipcFd < 0 ? "none" : is_open(request->ipcFd) ? "open" : "closed");
    say(", keep %d detached %d status %d", request->keepConnection, request->detached,
        request->appStatus);
}

#endif
