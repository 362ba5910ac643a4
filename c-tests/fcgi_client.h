/*
 * A minimal web server for the test programs in this directory.
 *
 * A program listens on a socket in its own temporary working directory, connects to itself, writes
 * a request, handles it with the library and prints the reply. Requests are small enough for the
 * socket's buffers, so one thread is enough.
 *
 * Replies are printed in a canonical form: adjacent contents of one stream are joined, so that the
 * way a library divides its output into records does not matter.
 */
#ifndef FCGI_CLIENT_H
#define FCGI_CLIENT_H

#include <fastcgi.h>
#include <fcgiapp.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCKET_PATH "listen.sock"

/* The longest that a test waits, in milliseconds. */
#define PATIENCE_MS 8000

/* The bytes received so far. */
struct reply {
    unsigned char *bytes;
    size_t length;
    int closed;
};

static inline void die(const char *what)
{
    fflush(stdout);
    fprintf(stderr, "test program: %s: %s\n", what, strerror(errno));
    _exit(99);
}

/* ---- listening and connecting ---- */

/* Initialises the library and returns a listen socket at SOCKET_PATH. */
static inline int listen_here(void)
{
    int sock;

    if (FCGX_Init() != 0)
        die("FCGX_Init");
    sock = FCGX_OpenSocket(SOCKET_PATH, 16);
    if (sock < 0)
        die("FCGX_OpenSocket");
    return sock;
}

static inline int connect_to(const char *path)
{
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("connect");
    return fd;
}

static inline int connect_here(void)
{
    return connect_to(SOCKET_PATH);
}

/* ---- sending ---- */

static inline void send_bytes(int fd, const void *bytes, size_t length)
{
    const char *next = bytes;

    while (length > 0) {
        ssize_t n = send(fd, next, length, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            die("send");
        next += n;
        length -= (size_t)n;
    }
}

static inline void send_record(int fd, int type, int id, const void *content, size_t length)
{
    unsigned char header[FCGI_HEADER_LEN] = {
        FCGI_VERSION_1, (unsigned char)type, (unsigned char)(id >> 8), (unsigned char)id,
        (unsigned char)(length >> 8), (unsigned char)length, 0, 0
    };

    send_bytes(fd, header, sizeof header);
    send_bytes(fd, content, length);
}

/* Sends an empty record, which ends a stream. */
static inline void send_end(int fd, int type, int id)
{
    send_record(fd, type, id, "", 0);
}

static inline void send_text(int fd, int type, int id, const char *text)
{
    send_record(fd, type, id, text, strlen(text));
}

static inline void send_begin(int fd, int id, int role, int flags)
{
    unsigned char body[8] = { (unsigned char)(role >> 8), (unsigned char)role, (unsigned char)flags };

    send_record(fd, FCGI_BEGIN_REQUEST, id, body, sizeof body);
}

/* Sends a PARAMS record with one pair. Lengths have the short form where they fit. */
static inline void send_pair_bytes(int fd, int id, const char *name, size_t name_length,
                                   const char *value, size_t value_length)
{
    size_t lengths[2] = { name_length, value_length };
    unsigned char *content = malloc(8 + name_length + value_length);
    size_t at = 0;
    int i;

    if (content == NULL)
        die("malloc");
    for (i = 0; i < 2; i++) {
        if (lengths[i] < 128) {
            content[at++] = (unsigned char)lengths[i];
        } else {
            content[at++] = (unsigned char)(lengths[i] >> 24 | 0x80);
            content[at++] = (unsigned char)(lengths[i] >> 16);
            content[at++] = (unsigned char)(lengths[i] >> 8);
            content[at++] = (unsigned char)lengths[i];
        }
    }
    memcpy(content + at, name, name_length);
    memcpy(content + at + name_length, value, value_length);
    send_record(fd, FCGI_PARAMS, id, content, at + name_length + value_length);
    free(content);
}

static inline void send_pair(int fd, int id, const char *name, const char *value)
{
    send_pair_bytes(fd, id, name, strlen(name), value, strlen(value));
}

/* Sends BEGIN_REQUEST and parameters, which an application needs to accept a request. */
static inline void send_head(int fd, int id, int role, int flags)
{
    send_begin(fd, id, role, flags);
    send_pair(fd, id, "SCRIPT_NAME", "/test");
    send_end(fd, FCGI_PARAMS, id);
}

/* Sends a whole Responder request with id 1, after which the application closes the connection. */
static inline void send_request(int fd, const char *body)
{
    send_head(fd, 1, FCGI_RESPONDER, 0);
    if (*body != '\0')
        send_text(fd, FCGI_STDIN, 1, body);
    send_end(fd, FCGI_STDIN, 1);
}

/* Shuts down the sending side, so that the application need not wait when it closes. */
static inline void send_no_more(int fd)
{
    if (shutdown(fd, SHUT_WR) != 0)
        die("shutdown");
}

/* Connects and sends one whole Responder request. */
static inline int request_here(const char *body)
{
    int fd = connect_here();

    send_request(fd, body);
    send_no_more(fd);
    return fd;
}

/* ---- receiving ---- */

/* Reads once, for at most `wait_ms`. Returns whether data or the end arrived. */
static inline int reply_read(int fd, struct reply *reply, int wait_ms)
{
    struct pollfd readable = { fd, POLLIN, 0 };
    const size_t room = 65536;
    ssize_t n;

    if (reply->closed || poll(&readable, 1, wait_ms) <= 0)
        return 0;
    reply->bytes = realloc(reply->bytes, reply->length + room);
    if (reply->bytes == NULL)
        die("realloc");
    n = read(fd, reply->bytes + reply->length, room);
    if (n <= 0) {
        reply->closed = 1;
        return 1;
    }
    reply->length += (size_t)n;
    return 1;
}

/* Returns the length of the whole record at `at`, header and padding included. An incomplete record
 * has length 0. */
static inline size_t record_at(const struct reply *reply, size_t at)
{
    const unsigned char *header = reply->bytes + at;
    size_t length;

    if (reply->length < at + FCGI_HEADER_LEN)
        return 0;
    length = FCGI_HEADER_LEN + (size_t)(header[4] << 8 | header[5]) + header[6];
    return reply->length < at + length ? 0 : length;
}

/* Reads until an END_REQUEST record or the connection's end. Returns whether the record came. */
static inline int reply_read_request(int fd, struct reply *reply)
{
    size_t at = 0;

    for (;;) {
        size_t length = record_at(reply, at);

        if (length > 0 && reply->bytes[at + 1] == FCGI_END_REQUEST)
            return 1;
        if (length > 0)
            at += length;
        else if (!reply_read(fd, reply, PATIENCE_MS))
            return 0;
    }
}

/* ---- printing ---- */

static inline const char *record_name(int type)
{
    static const char *const names[] = {
        "type 0", "BEGIN_REQUEST", "ABORT_REQUEST", "END_REQUEST", "PARAMS", "STDIN", "STDOUT",
        "STDERR", "DATA", "GET_VALUES", "GET_VALUES_RESULT", "UNKNOWN_TYPE"
    };

    return type <= FCGI_MAXTYPE ? names[type] : "unknown type";
}

/* Prints bytes as text, or as a count and a checksum if there are many. */
static inline void print_bytes(const unsigned char *bytes, size_t length)
{
    size_t i;

    if (length > 300) {
        unsigned long sum = 0;

        for (i = 0; i < length; i++)
            sum = (sum * 31 + bytes[i]) % 1000003;
        printf("%lu bytes, checksum %lu", (unsigned long)length, sum);
        return;
    }
    putchar('"');
    for (i = 0; i < length; i++) {
        if (bytes[i] == '\n')
            printf("\\n");
        else if (bytes[i] == '\r')
            printf("\\r");
        else if (bytes[i] < ' ' || bytes[i] > '~')
            printf("\\x%02x", bytes[i]);
        else
            putchar(bytes[i]);
    }
    putchar('"');
}

static inline void print_end_request(const unsigned char *body)
{
    static const char *const statuses[] = {
        "REQUEST_COMPLETE", "CANT_MPX_CONN", "OVERLOADED", "UNKNOWN_ROLE"
    };
    unsigned app_status = (unsigned)body[0] << 24 | (unsigned)body[1] << 16
                          | (unsigned)body[2] << 8 | body[3];

    printf("%d %s", (int)app_status, body[4] < 4 ? statuses[body[4]] : "unknown status");
}

/* Returns whether a record is stream content that continues in the next record of the same type and
 * id. */
static inline int is_content(const unsigned char *header)
{
    return (header[1] == FCGI_STDOUT || header[1] == FCGI_STDERR || header[1] == FCGI_STDIN
            || header[1] == FCGI_DATA || header[1] == FCGI_PARAMS)
           && (header[4] | header[5]) != 0;
}

/* Prints the stream content that begins at `at` and returns the position after it. */
static inline size_t print_content(const struct reply *reply, size_t at)
{
    const unsigned char *first = reply->bytes + at;
    unsigned char *joined = malloc(reply->length);
    size_t joined_length = 0, length;

    if (joined == NULL)
        die("malloc");
    while ((length = record_at(reply, at)) > 0) {
        const unsigned char *header = reply->bytes + at;
        size_t content = (size_t)(header[4] << 8 | header[5]);

        if (!is_content(header) || memcmp(header, first, 4) != 0)
            break;
        memcpy(joined + joined_length, header + FCGI_HEADER_LEN, content);
        joined_length += content;
        at += length;
    }
    print_bytes(joined, joined_length);
    free(joined);
    return at;
}

/* Prints what was read, with a line for each stream content and each other record. */
static inline void reply_print(struct reply *reply)
{
    size_t at = 0, length;

    while ((length = record_at(reply, at)) > 0) {
        const unsigned char *header = reply->bytes + at;

        printf("  %s %d: ", record_name(header[1]), header[2] << 8 | header[3]);
        if (is_content(header)) {
            at = print_content(reply, at);
        } else {
            if (header[1] == FCGI_END_REQUEST)
                print_end_request(header + FCGI_HEADER_LEN);
            else if ((header[4] | header[5]) == 0)
                printf("end");
            else
                print_bytes(header + FCGI_HEADER_LEN, (size_t)(header[4] << 8 | header[5]));
            at += length;
        }
        putchar('\n');
    }
    if (at < reply->length)
        printf("  and %lu bytes of a record\n", (unsigned long)(reply->length - at));
    free(reply->bytes);
    reply->bytes = NULL;
    reply->length = 0;
}

/* Prints what has arrived, without waiting. */
static inline void print_arrived(int fd)
{
    struct reply reply = { NULL, 0, 0 };

    while (reply_read(fd, &reply, 0))
        ;
    if (reply.length == 0)
        printf("  nothing\n");
    reply_print(&reply);
    if (reply.closed)
        printf("  closed\n");
}

/* Prints a whole reply, up to END_REQUEST or the end of the connection. */
static inline void print_request_reply(int fd)
{
    struct reply reply = { NULL, 0, 0 };

    reply_read_request(fd, &reply);
    reply_print(&reply);
    if (reply.closed)
        printf("  closed\n");
}

/* Prints everything up to the end of the connection, then closes the client's side. */
static inline void print_reply(int fd)
{
    struct reply reply = { NULL, 0, 0 };

    while (reply_read(fd, &reply, PATIENCE_MS))
        ;
    reply_print(&reply);
    printf(reply.closed ? "  closed\n" : "  still open\n");
    close(fd);
}

/* ---- other things to look at ---- */

static inline int is_open(int fd)
{
    return fcntl(fd, F_GETFD) != -1;
}

static inline int fd_is_readable(int fd, int wait_ms)
{
    struct pollfd readable = { fd, POLLIN, 0 };

    return poll(&readable, 1, wait_ms) == 1;
}

/* Waits for a child and prints how it ended. */
static inline void print_child_end(const char *who, pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            die("waitpid");
    if (WIFEXITED(status))
        printf("%s: exit %d\n", who, WEXITSTATUS(status));
    else
        printf("%s: signal %d\n", who, WTERMSIG(status));
}

#endif
