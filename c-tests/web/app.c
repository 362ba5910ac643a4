/*
 * The application behind the web servers of tests/web_servers. Its listen socket is descriptor 0.
 *
 * Usage: app [OPTIONS]
 *   -t N   every process serves with N threads
 *   -b N   N processes, started before FCGX_Init; the parent replaces those that end
 *   -a N   the same, started after FCGX_Init
 *   -q N   one thread accepts, N others respond and finish
 *   -n     a new structure for each request
 *   -m N   every process ends after the N-th request of a thread, as docs/operating.md describes
 *   -x N   every process just exits after the N-th request of a thread
 *
 * The response header X-App names the process, X-Body describes the request's body (length and
 * FNV-1a checksum), and X-Method and X-Role repeat what the web server has requested.
 * The query string selects the actions, by names separated by '&':
 *   size=N     N pseudo-random bytes; without it the response has no body
 *   log=TEXT   a line on the error stream
 *   lines=N    N more lines of 64 bytes on it
 *   unread     the request's body is not read
 *   sleep=N    a pause of N milliseconds
 *   fork       a child that outlives the request writes one line of the body
 *   deny       an authorizer denies access
 */
#define _POSIX_C_SOURCE 200809L

#include <fcgiapp.h>

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 64, PIECE = 8000, CHILD_LIVES_SECONDS = 4 };

static int threads = 1, processes, finishers, most, last;
static int processes_before_init, anew;

/* ---- one request ---- */

/* Returns the text after "name=" or "name" in the query string, or NULL if it is missing. */
static const char *asked(FCGX_Request *request, const char *name)
{
    const char *at = FCGX_GetParam("QUERY_STRING", request->envp);
    size_t length = strlen(name);

    while (at != NULL && *at != '\0') {
        if (strncmp(at, name, length) == 0 && strchr("=&", at[length]) != NULL)
            return at[length] == '=' ? at + length + 1 : at + length;
        at = strchr(at, '&');
        at = at == NULL ? NULL : at + 1;
    }
    return NULL;
}

static long asked_number(FCGX_Request *request, const char *name)
{
    const char *text = asked(request, name);

    return text == NULL ? 0 : strtol(text, NULL, 10);
}

static const char *param(FCGX_Request *request, const char *name)
{
    const char *value = FCGX_GetParam(name, request->envp);

    return value == NULL ? "" : value;
}

static int is_authorizer(FCGX_Request *request)
{
    return strcmp(param(request, "FCGI_ROLE"), "AUTHORIZER") == 0;
}

static void say(FCGX_Request *request)
{
    const char *text = asked(request, "log");
    long lines = asked_number(request, "lines");

    if (text != NULL) {
        FCGX_PutStr(text, (int)strcspn(text, "&"), request->err);
        FCGX_PutS("\n", request->err);
    }
    while (lines-- > 0)
        FCGX_PutS("a line of sixty-four bytes, to see how much a web server can take\n",
                  request->err);
}

static void describe_body(FCGX_Request *request, char *text, size_t room)
{
    unsigned char piece[PIECE];
    uint64_t checksum = 0xcbf29ce484222325U;
    unsigned long long length = 0;
    int got, i;

    /* Not every web server sends authorizers an empty body to read. */
    if (asked(request, "unread") != NULL || is_authorizer(request)) {
        snprintf(text, room, "unread");
        return;
    }
    while ((got = FCGX_GetStr((char *)piece, PIECE, request->in)) > 0) {
        for (i = 0; i < got; i++)
            checksum = (checksum ^ piece[i]) * 0x100000001b3U;
        length += (unsigned)got;
    }
    if (FCGX_GetError(request->in) != 0)
        snprintf(text, room, "error %d", FCGX_GetError(request->in));
    else
        snprintf(text, room, "%llu %016llx", length, (unsigned long long)checksum);
}

/* Writes the same bytes as `content` of testkit/src/web/app.rs. */
static void put_content(FCGX_Request *request, long size)
{
    uint64_t state = 0x9e3779b97f4a7c15U;
    unsigned char piece[PIECE];
    int i;

    while (size > 0) {
        for (i = 0; i < PIECE; i++) {
            if (i % 8 == 0) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
            }
            piece[i] = (unsigned char)(state >> (i % 8 * 8));
        }
        if (FCGX_PutStr((char *)piece, size < PIECE ? (int)size : PIECE, request->out) < 0)
            return;
        size -= PIECE;
    }
}

/* Writes a line from a child, which keeps its copy of the connection while it lives. */
static void put_line_of_child(FCGX_Request *request)
{
    char line[64];
    int ends[2];
    ssize_t got;

    if (pipe(ends) != 0)
        return;
    if (fork() == 0) {
        signal(SIGTERM, SIG_DFL);
        got = write(ends[1], "from the child\n", 15);
        close(ends[0]);
        close(ends[1]);
        sleep(CHILD_LIVES_SECONDS);
        _exit(got == 15 ? 0 : 1);
    }
    close(ends[1]);
    while ((got = read(ends[0], line, sizeof line)) > 0)
        FCGX_PutStr(line, (int)got, request->out);
    close(ends[0]);
}

static void answer(FCGX_Request *request)
{
    long sleep_ms = asked_number(request, "sleep");
    struct timespec left = { sleep_ms / 1000, sleep_ms % 1000 * 1000000L };
    int authorizer = is_authorizer(request);
    char head[512], body[64];

    say(request);
    describe_body(request, body, sizeof body);
    nanosleep(&left, NULL);
    snprintf(head, sizeof head,
             "Status: %s\r\nContent-Type: application/octet-stream\r\n"
             "X-App: %d\r\nX-Body: %s\r\nX-Method: %s\r\nX-Role: %s\r\n%s\r\n",
             authorizer && asked(request, "deny") != NULL ? "403 Forbidden" : "200 OK",
             (int)getpid(), body, param(request, "REQUEST_METHOD"), param(request, "FCGI_ROLE"),
             authorizer ? "Variable-AUTHORIZED: yes\r\n" : "");
    FCGX_PutS(head, request->out);
    if (authorizer)
        return;
    put_content(request, asked_number(request, "size"));
    if (asked(request, "fork") != NULL)
        put_line_of_child(request);
}

/* ---- threads ---- */

static void block_sigterm(int how)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(how, &signals, NULL);
}

static void *serve(void *unused)
{
    FCGX_Request request;
    int served = 0;

    if (FCGX_InitRequest(&request, 0, 0) != 0)
        return unused;
    while (FCGX_Accept_r(&request) == 0) {
        if (++served == most)
            FCGX_ShutdownPending();
        answer(&request);
        FCGX_Finish_r(&request);
        if (served == last)
            exit(0);
    }
    FCGX_Free(&request, 1);
    return unused;
}

static void *serve_with_new_structures(void *unused)
{
    FCGX_Request *request;
    int result;

    do {
        request = malloc(sizeof *request);
        if (request == NULL || FCGX_InitRequest(request, 0, 0) != 0)
            return unused;
        result = FCGX_Accept_r(request);
        if (result == 0) {
            answer(request);
            FCGX_Finish_r(request);
        }
        free(request);
    } while (result == 0);
    return unused;
}

/* Requests whose places pass through two pipes: first unused ones, then accepted ones. */
static FCGX_Request requests[MOST];
static int unused_places[2], accepted_places[2];

static void *answer_and_finish(void *unused)
{
    int place;

    while (read(accepted_places[0], &place, sizeof place) > 0 && place >= 0) {
        answer(&requests[place]);
        FCGX_Finish_r(&requests[place]);
        if (write(unused_places[1], &place, sizeof place) < 0)
            break;
    }
    return unused;
}

static void accept_for_others(void)
{
    int place, left = finishers;

    while (read(unused_places[0], &place, sizeof place) > 0) {
        if (FCGX_Accept_r(&requests[place]) != 0)
            break;
        if (write(accepted_places[1], &place, sizeof place) < 0)
            break;
    }
    /* Closing the pipe is not enough, because a child of a request may have a copy. */
    place = -1;
    while (left-- > 0 && write(accepted_places[1], &place, sizeof place) > 0)
        ;
}

static void serve_with(int count, void *(*work)(void *), void (*meanwhile)(void))
{
    pthread_t ids[MOST];
    int started = 0;

    while (started < count && pthread_create(&ids[started], NULL, work, NULL) == 0)
        started++;
    if (meanwhile != NULL)
        meanwhile();
    while (started-- > 0)
        pthread_join(ids[started], NULL);
}

static int serve_in_this_process(void)
{
    int place;

    signal(SIGCHLD, SIG_IGN);
    if (FCGX_Init() != 0)
        return 1;
    if (finishers == 0) {
        serve_with(threads, anew ? serve_with_new_structures : serve, NULL);
        return 0;
    }
    if (pipe(unused_places) != 0 || pipe(accepted_places) != 0)
        return 1;
    for (place = 0; place < finishers; place++) {
        FCGX_InitRequest(&requests[place], 0, 0);
        if (write(unused_places[1], &place, sizeof place) < 0)
            return 1;
    }
    serve_with(finishers, answer_and_finish, accept_for_others);
    return 0;
}

/* ---- processes ---- */

static pid_t start_process(void)
{
    pid_t child = fork();

    if (child == 0) {
        block_sigterm(SIG_UNBLOCK);
        exit(serve_in_this_process());
    }
    return child;
}

/* Keeps the processes running until SIGTERM, then ends them. */
static int serve_in_processes(void)
{
    pid_t children[MOST], ended;
    sigset_t signals;
    int i, signal_number = 0;

    if (!processes_before_init && FCGX_Init() != 0)
        return 1;
    /* In the children the library's handler replaces the parent's or the default one. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    for (i = 0; i < processes; i++)
        children[i] = start_process();
    while (signal_number != SIGTERM) {
        sigwait(&signals, &signal_number);
        while ((ended = waitpid(-1, NULL, WNOHANG)) > 0) {
            for (i = 0; i < processes; i++)
                if (children[i] == ended)
                    children[i] = start_process();
        }
    }
    for (i = 0; i < processes; i++)
        kill(children[i], SIGTERM);
    while (wait(NULL) > 0)
        ;
    return 0;
}

int main(int argc, char **argv)
{
    int option, value;

    while ((option = getopt(argc, argv, "t:b:a:q:m:x:n")) != -1) {
        value = optarg == NULL ? 0 : atoi(optarg);
        if (option == 'n') {
            anew = 1;
            continue;
        }
        if (value < 1 || value > MOST)
            return 2;
        if (option == 't')
            threads = value;
        else if (option == 'q')
            finishers = value;
        else if (option == 'm')
            most = value;
        else if (option == 'x')
            last = value;
        else
            processes = value;
        processes_before_init |= option == 'b';
    }
    return processes > 0 ? serve_in_processes() : serve_in_this_process();
}
