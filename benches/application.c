/*
 * A FastCGI program on FCGX_Accept_r: one answer for each scenario of the benchmark.
 *
 * Usage: application SCENARIO SIZE THREADS WARM_UP COUNTED PROCESSES WORK EACH, the listen socket as
 * descriptor 0. With several threads two more requests for each of them follow the counted ones.
 * SIZE: bytes to send, bytes per call or lines, as the scenario has it.
 * PROCESSES: how many to fork, one replaced by the next when it ends; with 0 the first one serves.
 * WORK: milliseconds that a request on a kept connection takes; one on a connection of its own takes none.
 * EACH: requests after which a thread ends its process, 0: never.
 */
#include "measured.h"

#include <fcgiapp.h>

#include <pthread.h>
#include <sys/wait.h>
#include <time.h>

static long size;

static void hello(FCGX_Request *r)
{
    FCGX_PutS(HEAD "hello\n", r->out);
}

/* Looks up as many parameters as a program in a framework does. */
static void look_up(FCGX_Request *r)
{
    static const char *const names[] = {
        "QUERY_STRING", "REQUEST_METHOD", "CONTENT_TYPE", "CONTENT_LENGTH", "SCRIPT_NAME",
        "REQUEST_URI", "DOCUMENT_URI", "DOCUMENT_ROOT", "SERVER_PROTOCOL", "REQUEST_SCHEME",
        "GATEWAY_INTERFACE", "SERVER_SOFTWARE", "REMOTE_ADDR", "REMOTE_PORT", "SERVER_ADDR",
        "SERVER_PORT", "SERVER_NAME", "REDIRECT_STATUS", "SCRIPT_FILENAME", "HTTP_HOST",
        "HTTP_USER_AGENT", "HTTP_ACCEPT", "HTTP_ACCEPT_ENCODING", "HTTP_ACCEPT_LANGUAGE", "HTTP_COOKIE"
    };
    char text[] = HEAD "00 found\n";
    char *digits = text + sizeof HEAD - 1;
    unsigned i, found = 0;

    for (i = 0; i < sizeof names / sizeof names[0]; i++)
        found += FCGX_GetParam(names[i], r->envp) != NULL;
    digits[0] = (char)('0' + found / 10);
    digits[1] = (char)('0' + found % 10);
    FCGX_PutS(text, r->out);
}

static void put_str(FCGX_Request *r)
{
    FCGX_PutS(HEAD, r->out);
    FCGX_PutStr(letters, (int)size, r->out);
}

static void put_pieces(FCGX_Request *r)
{
    long at;

    FCGX_PutS(HEAD, r->out);
    for (at = 0; at < size; at += 64)
        FCGX_PutStr(letters + at, 64, r->out);
}

static void put_char(FCGX_Request *r)
{
    long at;

    FCGX_PutS(HEAD, r->out);
    for (at = 0; at < size; at++)
        FCGX_PutChar(letters[at], r->out);
}

static void print_integers(FCGX_Request *r)
{
    int line;

    FCGX_PutS(HEAD, r->out);
    for (line = 0; line < size; line++)
        FCGX_FPrintF(r->out, "%d %s\n", line, WORD);
}

static void print_floats(FCGX_Request *r)
{
    int line;

    FCGX_PutS(HEAD, r->out);
    for (line = 0; line < size; line++)
        FCGX_FPrintF(r->out, "%5.2f\n", line / 4.0);
}

/* Answers a body with the number of its units that were read. */
static void answer(FCGX_Request *r, long units)
{
    char text[64];
    char *digit = text + sizeof text - 1;

    *digit = '\0';
    *--digit = '\n';
    do {
        *--digit = (char)('0' + units % 10);
        units /= 10;
    } while (units > 0);
    FCGX_PutS(HEAD, r->out);
    FCGX_PutS(digit, r->out);
}

static void get_str(FCGX_Request *r)
{
    static __thread char *room;
    long total = 0;
    int n;

    if (room == NULL)
        room = malloc((size_t)size);
    while ((n = FCGX_GetStr(room, (int)size, r->in)) > 0) {
        /* Each byte is in its place if both ends of each piece are. */
        if (room[0] != 'a' + total % 26 || room[n - 1] != 'a' + (total + n - 1) % 26)
            exit(3);
        total += n;
    }
    answer(r, total);
}

static void get_char(FCGX_Request *r)
{
    long total = 0;
    int c;

    while ((c = FCGX_GetChar(r->in)) != -1) {
        if (c != 'a' + total % 26)
            exit(3);
        total++;
    }
    answer(r, total);
}

static void get_line(FCGX_Request *r)
{
    char line[256];
    long lines = 0;

    while (FCGX_GetLine(line, sizeof line, r->in) != NULL)
        lines++;
    answer(r, lines);
}

static void report(FCGX_Request *r)
{
    FCGX_PutS("something is amiss\n", r->err);
    hello(r);
}

/* Prints which process has served the request, in ten digits: its number plus a billion. */
static void who(FCGX_Request *r)
{
    answer(r, 1000000000L + getpid());
}

static const struct scenario {
    const char *name;
    void (*serve)(FCGX_Request *);
} scenarios[] = {
    { "hello", hello },
    { "look_up", look_up },
    { "put_str", put_str },
    { "put_pieces", put_pieces },
    { "put_char", put_char },
    { "print_integers", print_integers },
    { "print_floats", print_floats },
    { "get_str", get_str },
    { "get_char", get_char },
    { "get_line", get_line },
    { "report", report },
    { "who", who }
};

static void (*serve)(FCGX_Request *);

static long work, each;

static void *accept_requests(void *unused)
{
    FCGX_Request request;
    long served = 0;

    FCGX_InitRequest(&request, 0, 0);
    while (FCGX_Accept_r(&request) == 0) {
        if (work > 0 && request.keepConnection) {
            struct timespec time = { work / 1000, work % 1000 * 1000000 };

            nanosleep(&time, NULL);
        }
        serve(&request);
        FCGX_Finish_r(&request);
        one_request_done();
        if (++served == each)
            exit(0);
    }
    return unused;
}

/* Keeps this number of processes running while they end successfully. Returns in each of them. */
static void fork_processes(int processes)
{
    for (;;) {
        int status;
        pid_t child;

        if (processes-- <= 0 && (wait(&status) < 0 || status != 0))
            exit(4);
        child = fork();
        if (child < 0)
            exit(1);
        if (child == 0)
            return;
    }
}

int main(int argc, char **argv)
{
    unsigned i;
    int threads;

    if (argc != 9 || FCGX_Init() != 0)
        return 1;
    for (i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++)
        if (strcmp(argv[1], scenarios[i].name) == 0)
            serve = scenarios[i].serve;
    if (serve == NULL)
        return 1;
    size = atol(argv[2]);
    threads = atoi(argv[3]);
    warm_up = (unsigned)atol(argv[4]);
    counted = (unsigned)atol(argv[5]);
    work = atol(argv[7]);
    each = atol(argv[8]);
    tail = threads > 1 ? 2 * (unsigned)threads : 0;
    if (strncmp(argv[1], "put_", 4) == 0)
        make_letters((size_t)size);
    if (atoi(argv[6]) > 0)
        fork_processes(atoi(argv[6]));
    while (--threads > 0) {
        pthread_t thread;

        if (pthread_create(&thread, NULL, accept_requests, NULL) != 0)
            return 1;
    }
    accept_requests(NULL);
    return 2;
}
