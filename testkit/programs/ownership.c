/*
 * Who owns what: one function for each cell of the table at the head of src/serve.
 * Usage: ownership CELL. Reports each check that fails, and then exits with 1.
 */
#include "fcgi_client.h"
#include "in_use.h"

#define ROUNDS 300

#define STORE_DESCRIPTORS 3 /* epoll and the wake-up */

static int failures, sock;
static FCGX_Request request;

#define CHECK(fact) check(fact, #fact, __LINE__)

static void check(int holds, const char *fact, int line)
{
    if (!holds) {
        fprintf(stderr, "line %d: not so: %s\n", line, fact);
        failures++;
    }
}

static void send_kept(int client, int id)
{
    send_head(client, id, FCGI_RESPONDER, FCGI_KEEP_CONN);
    send_end(client, FCGI_STDIN, id);
}

/* Accepts a request on a new connection that the web server wants to keep. */
static int accept_kept(void)
{
    int client = connect_here();

    send_kept(client, 1);
    CHECK(FCGX_Accept_r(&request) == 0);
    return client;
}

/* Returns whether a whole answer comes, up to END_REQUEST. */
static int is_answered(int client)
{
    struct reply reply = { NULL, 0, 0 };
    int answered = reply_read_request(client, &reply);

    free(reply.bytes);
    return answered;
}

/* Returns whether the connection has ended or ends in time; discards what came before. */
static int is_ended(int client, int wait_ms)
{
    struct reply reply = { NULL, 0, 0 };

    while (reply_read(client, &reply, wait_ms))
        ;
    free(reply.bytes);
    return reply.closed;
}

static int holds_nothing(void)
{
    return request.ipcFd == -1 && request.in == NULL && request.out == NULL && request.err == NULL
           && request.paramsPtr == NULL;
}

/* Checks that another request is served as if nothing had happened. */
static void serves_on(void)
{
    int client = request_here("");

    CHECK(FCGX_Accept_r(&request) == 0);
    FCGX_Finish_r(&request);
    CHECK(is_answered(client));
    CHECK(is_ended(client, PATIENCE_MS));
    close(client);
}

/* Checks that a keep-alive connection is still open and that its next request is served. */
static void serves_kept(int client)
{
    CHECK(!is_ended(client, 0));
    send_kept(client, 2);
    CHECK(FCGX_Accept_r(&request) == 0);
    CHECK(request.requestId == 2);
    FCGX_Finish_r(&request);
    CHECK(is_answered(client));
}

/* Runs a function many times: neither descriptors nor memory may grow with the number of rounds. */
static void without_growth(void (*round)(void))
{
    int before, i;
    size_t bytes;

    for (i = 0; i < 40; i++)
        round();
    before = descriptors();
    bytes = bytes_in_use();
    for (i = 0; i < ROUNDS; i++)
        round();
    CHECK(descriptors() == before);
    CHECK(bytes_in_use() <= bytes + ROUNDS * 8);
}

/* ---- the cells ---- */

static void init_only(void)
{
    FCGX_InitRequest(&request, sock, 0);
}

static void fresh(void)
{
    int before = descriptors();

    memset(&request, 0x55, sizeof request);
    FCGX_InitRequest(&request, sock, 0);
    CHECK(holds_nothing());
    CHECK(request.envp == NULL);
    CHECK(descriptors() == before);
    without_growth(init_only);
    serves_on();
}

static void waiting(void)
{
    int silent = connect_here(), half = connect_here(), before = descriptors();

    send_begin(half, 1, FCGI_RESPONDER, 0);
    serves_on();
    serves_on();
    /* Both wait inside the library; the request has nothing of them. */
    CHECK(holds_nothing());
    CHECK(!is_ended(silent, 0));
    CHECK(!is_ended(half, 0));
    CHECK(descriptors() <= before + 2 + STORE_DESCRIPTORS);
    /* With its second half it is a request like any other. */
    send_pair(half, 1, "NAME", "value");
    send_end(half, FCGI_PARAMS, 1);
    send_end(half, FCGI_STDIN, 1);
    CHECK(FCGX_Accept_r(&request) == 0);
    CHECK(FCGX_GetParam("NAME", request.envp) != NULL);
    FCGX_Finish_r(&request);
    CHECK(is_answered(half));
    close(half);
    close(silent);
    serves_on();
    serves_on();
    CHECK(descriptors() <= before - 2 + STORE_DESCRIPTORS);
}

static void accepted_round(void)
{
    int client = request_here("body");

    FCGX_Accept_r(&request);
    FCGX_PutS("answer", request.out);
    FCGX_Finish_r(&request);
    close(client);
}

static void accepted(void)
{
    int client = request_here("body"), before = descriptors();

    CHECK(FCGX_Accept_r(&request) == 0);
    CHECK(is_open(request.ipcFd));
    CHECK(descriptors() == before + 1);
    CHECK(request.in != NULL && request.out != NULL && request.err != NULL);
    CHECK(request.paramsPtr != NULL && request.envp != NULL);
    FCGX_Finish_r(&request);
    CHECK(is_answered(client));
    close(client);
    without_growth(accepted_round);
}

static void finished(void)
{
    int client = request_here(""), descriptor;

    FCGX_Accept_r(&request);
    descriptor = request.ipcFd;
    FCGX_Finish_r(&request);
    CHECK(holds_nothing());
    CHECK(!is_open(descriptor));
    CHECK(is_answered(client));
    CHECK(is_ended(client, PATIENCE_MS));
    /* The number belongs to another file now; the library must not touch it. */
    CHECK(dup2(client, descriptor) == descriptor);
    FCGX_Finish_r(&request);
    FCGX_Free(&request, 1);
    CHECK(is_open(descriptor));
}

static void detached(void)
{
    int client = request_here(""), ends[2], descriptor;
    char byte;
    pid_t child;

    FCGX_Accept_r(&request);
    descriptor = request.ipcFd;
    CHECK(FCGX_Detach(&request) == 0);
    CHECK(is_open(descriptor));
    if (pipe(ends) != 0)
        die("pipe");
    child = fork();
    if (child == 0) {
        /* The child answers after the parent has closed its copy. */
        close(ends[1]);
        if (read(ends[0], &byte, 1) != 0)
            _exit(1);
        FCGX_PutS("from the child", request.out);
        FCGX_Finish_r(&request);
        _exit(0);
    }
    close(ends[0]);
    FCGX_Free(&request, 1);
    CHECK(!is_open(descriptor));
    CHECK(holds_nothing());
    close(ends[1]);
    CHECK(is_answered(client));
    waitpid(child, NULL, 0);
    CHECK(is_ended(client, PATIENCE_MS));
    close(client);
    serves_on();
}

static int kept_client;

static void kept_round(void)
{
    send_kept(kept_client, 1);
    FCGX_Accept_r(&request);
    FCGX_Finish_r(&request);
    is_answered(kept_client);
}

static void kept(void)
{
    int descriptor;

    kept_client = accept_kept();
    descriptor = request.ipcFd;
    FCGX_Finish_r(&request);
    CHECK(is_answered(kept_client));
    CHECK(request.ipcFd == descriptor);
    CHECK(is_open(descriptor));
    CHECK(request.in == NULL && request.out == NULL && request.err == NULL);
    CHECK(!is_ended(kept_client, 0));
    without_growth(kept_round);
    CHECK(request.ipcFd == descriptor);
    send_request(kept_client, "the last");
    send_no_more(kept_client);
    CHECK(FCGX_Accept_r(&request) == 0);
    FCGX_Finish_r(&request);
    CHECK(holds_nothing());
    CHECK(!is_open(descriptor));
}

static void kept_then_parked(void)
{
    int client = accept_kept(), other;

    FCGX_Finish_r(&request);
    CHECK(is_answered(client));
    /* Another connection is served while this one is idle: the listener owns this one now. */
    other = request_here("");
    CHECK(FCGX_Accept_r(&request) == 0);
    FCGX_Finish_r(&request);
    CHECK(is_answered(other));
    CHECK(holds_nothing());
    serves_kept(client);
}

static void free_0_round(void)
{
    int client = connect_here();

    send_kept(client, 1);
    FCGX_Accept_r(&request);
    FCGX_Free(&request, 0);
    close(request.ipcFd);
    request.ipcFd = -1;
    close(client);
}

static void free_0(void)
{
    int client = accept_kept(), descriptor = request.ipcFd;

    FCGX_Free(&request, 0);
    CHECK(request.ipcFd == descriptor);
    CHECK(is_open(descriptor));
    CHECK(!is_ended(client, 0));
    CHECK(request.in == NULL && request.out == NULL && request.err == NULL);
    CHECK(request.paramsPtr == NULL);
    /* The program owns the connection from now on: it may take the next request, or close it. */
    send_kept(client, 3);
    CHECK(FCGX_Accept_r(&request) == 0);
    CHECK(request.requestId == 3);
    CHECK(request.ipcFd == descriptor);
    FCGX_Free(&request, 0);
    close(request.ipcFd);
    request.ipcFd = -1;
    CHECK(is_ended(client, PATIENCE_MS));
    without_growth(free_0_round);
    serves_on();
}

static void free_1_round(void)
{
    int client = connect_here();

    send_kept(client, 1);
    send_no_more(client);
    FCGX_Accept_r(&request);
    FCGX_Free(&request, 1);
    close(client);
}

static void free_1(void)
{
    int client = accept_kept(), descriptor = request.ipcFd;

    send_no_more(client);
    FCGX_Free(&request, 1);
    CHECK(holds_nothing());
    CHECK(!is_open(descriptor));
    CHECK(is_ended(client, PATIENCE_MS));
    FCGX_Free(&request, 1);
    without_growth(free_1_round);

    client = accept_kept();
    descriptor = request.ipcFd;
    FCGX_Finish_r(&request);
    send_no_more(client);
    FCGX_Free(&request, 1);
    CHECK(holds_nothing());
    CHECK(!is_open(descriptor));
    CHECK(is_ended(client, PATIENCE_MS));
    serves_on();
}

static void init_again(void)
{
    int client = accept_kept(), descriptor = request.ipcFd;

    FCGX_InitRequest(&request, sock, 0);
    CHECK(holds_nothing());
    CHECK(is_open(descriptor));
    /* The library no longer reads that connection. */
    send_kept(client, 2);
    serves_on();
    CHECK(is_open(descriptor));
    CHECK(!is_ended(client, 0));
    close(descriptor);
}

static void init_again_kept(void)
{
    int client = accept_kept();

    FCGX_Finish_r(&request);
    CHECK(is_answered(client));
    FCGX_InitRequest(&request, sock, 0);
    CHECK(holds_nothing());
    serves_kept(client);
}

/* Runs a function in a child; CHECK works there too. */
static void in_child(void (*function)(void))
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        failures = 0;
        function();
        _exit(failures != 0);
    }
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void finish_here(void)
{
    CHECK(is_open(request.ipcFd));
    FCGX_PutS("from the child", request.out);
    FCGX_Finish_r(&request);
    CHECK(holds_nothing());
}

static void fork_accepted(void)
{
    int client = request_here(""), descriptor;

    FCGX_Accept_r(&request);
    descriptor = request.ipcFd;
    in_child(finish_here);
    /* The child has closed only its own copy. */
    CHECK(request.ipcFd == descriptor && is_open(descriptor));
    CHECK(is_answered(client));
    FCGX_Free(&request, 0);
    close(descriptor);
    request.ipcFd = -1;
    CHECK(is_ended(client, PATIENCE_MS));
    serves_on();
}

static int parents_descriptor;

static void serve_another(void)
{
    int before = descriptors();

    serves_on();
    CHECK(!is_open(parents_descriptor));
    CHECK(descriptors() <= before - 1 + STORE_DESCRIPTORS);
}

static void fork_kept(void)
{
    int client = accept_kept();

    parents_descriptor = request.ipcFd;
    FCGX_Finish_r(&request);
    CHECK(is_answered(client));
    in_child(serve_another);
    CHECK(request.ipcFd == parents_descriptor && is_open(parents_descriptor));
    serves_kept(client);
}

static void fork_parked(void)
{
    int client = accept_kept();

    parents_descriptor = request.ipcFd;
    FCGX_Finish_r(&request);
    CHECK(is_answered(client));
    serves_on();
    in_child(serve_another);
    serves_kept(client);
}

static const struct cell {
    const char *name;
    void (*function)(void);
} cells[] = {
    { "fresh", fresh },
    { "waiting", waiting },
    { "accepted", accepted },
    { "finished", finished },
    { "detached", detached },
    { "kept", kept },
    { "kept_then_parked", kept_then_parked },
    { "free_0", free_0 },
    { "free_1", free_1 },
    { "init_again", init_again },
    { "init_again_kept", init_again_kept },
    { "fork_accepted", fork_accepted },
    { "fork_kept", fork_kept },
    { "fork_parked", fork_parked },
};

int main(int argc, char **argv)
{
    size_t i;

    sock = listen_here();
    FCGX_InitRequest(&request, sock, 0);
    for (i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        if (argc == 2 && strcmp(argv[1], cells[i].name) == 0) {
            cells[i].function();
            return failures != 0;
        }
    }
    fprintf(stderr, "no such cell\n");
    return 2;
}
