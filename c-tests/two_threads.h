/*
 * One request used by several threads, and a client that checks every record of the reply.
 */
#ifndef TWO_THREADS_H
#define TWO_THREADS_H

#include "fcgi_client.h"

#include <netinet/in.h>
#include <pthread.h>

#define OUT_BYTES (8 << 20)
#define QUESTIONS 20
#define BODY_PIECE 4000

/* What the records of a reply contain. `broken` is set at the first invalid one. */
struct records {
    long out, err, values;
    int ends, broken, after_end;
};

/* Reads exactly `length` bytes. Returns 0 at the end of the connection. */
static inline int read_all(int fd, unsigned char *to, size_t length)
{
    while (length > 0) {
        ssize_t n = read(fd, to, length);

        if (n <= 0)
            return 0;
        to += n;
        length -= (size_t)n;
    }
    return 1;
}

/* Reads the reply to its end, or to the first invalid record. */
static inline struct records read_records(int fd)
{
    static unsigned char content[65536 + 256];
    struct records seen = { 0, 0, 0, 0, 0, 0 };
    unsigned char header[FCGI_HEADER_LEN];

    while (read_all(fd, header, sizeof header)) {
        size_t length = (size_t)(header[4] << 8 | header[5]);
        int id = header[2] << 8 | header[3];
        int good = header[0] == FCGI_VERSION_1;

        good &= header[1] == FCGI_GET_VALUES_RESULT ? id == 0 : id == 1;
        seen.after_end += seen.ends > 0;
        if (header[1] == FCGI_STDOUT)
            seen.out += (long)length;
        else if (header[1] == FCGI_STDERR)
            seen.err += (long)length;
        else if (header[1] == FCGI_GET_VALUES_RESULT)
            seen.values++;
        else if (header[1] == FCGI_END_REQUEST)
            seen.ends++;
        else
            good = 0;
        if (!good || !read_all(fd, content, length + header[6])) {
            seen.broken = 1;
            break;
        }
    }
    return seen;
}

static inline void print_records(const char *what, struct records seen)
{
    printf("%s: %s, out %ld, err %ld, values %ld, ends %d, behind the end %d\n", what,
           seen.broken ? "BROKEN" : "whole", seen.out, seen.err, seen.values, seen.ends,
           seen.after_end);
}

/* The next two functions run as threads, each on one stream. */

/* Writes OUT_BYTES in pieces of different sizes. */
static inline void *write_out(void *stream)
{
    static char piece[1 << 20];
    int sizes[] = { 100, 5000, 70000, 1 << 20 }, left = OUT_BYTES, i = 0;

    memset(piece, 'o', sizeof piece);
    while (left > 0) {
        int size = sizes[i++ % 4] < left ? sizes[(i - 1) % 4] : left;

        if (FCGX_PutStr(piece, size, stream) != size)
            return "out: PutStr failed";
        left -= size;
    }
    return NULL;
}

/* Reads the whole body and returns its length. */
static inline void *read_body(void *stream)
{
    static long total;
    char piece[1000];
    int got;

    total = 0;
    while ((got = FCGX_GetStr(piece, sizeof piece, stream)) > 0)
        total += got;
    return &total;
}

/* Sends a body with management records between its own. */
static inline void send_body_with_questions(int fd)
{
    static const char question[] = "\x0f" "\x00" "FCGI_MPXS_CONNS";
    static char piece[BODY_PIECE];
    int i;

    for (i = 0; i < QUESTIONS; i++) {
        send_record(fd, FCGI_STDIN, 1, piece, sizeof piece);
        send_record(fd, FCGI_GET_VALUES, 0, question, sizeof question - 1);
    }
    send_record(fd, FCGI_STDIN, 1, piece, sizeof piece);
    send_end(fd, FCGI_STDIN, 1);
}

/* Connects the two ends of a loopback connection with small buffers. */
static inline void connect_tcp(int ends[2])
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), small = 4096;

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1) != 0
        || getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        die("listen");
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(ends[0], SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    if (connect(ends[0], (struct sockaddr *)&address, sizeof address) != 0)
        die("connect");
    ends[1] = accept(listener, NULL, NULL);
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    close(listener);
}

/* Accepts a request without a body on ends[1]. The client has ends[0]. */
static inline void accept_on_tcp(FCGX_Request *request, int ends[2])
{
    connect_tcp(ends);
    send_head(ends[0], 1, FCGI_RESPONDER, 0);
    send_end(ends[0], FCGI_STDIN, 1);
    FCGX_InitRequest(request, 0, 0);
    request->ipcFd = ends[1];
    request->keepConnection = 1;
    if (FCGX_Accept_r(request) != 0)
        die("Accept_r");
}

#endif
