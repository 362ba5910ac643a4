/* A program forks with a request of FCGX_RequestNew in hand: whichever process frees, ends or leaves its copy, the
 * other one's connection stays. */
#include "request.h"

static int listener;

/* Accepts a request on a new connection. */
static int begin(struct FCGX_Request *r, int flags)
{
    int client = connect_here();

    send_head(client, 1, FCGI_RESPONDER, flags);
    send_text(client, FCGI_STDIN, 1, "body");
    send_end(client, FCGI_STDIN, 1);
    show("Next", FCGX_RequestNext(r, -1));
    return client;
}

/* Reads and answers in this process. */
static void answer(struct FCGX_Request *r, const char *text)
{
    char body[16];

    show("Read", FCGX_RequestRead(r, body, sizeof body));
    show("Write", FCGX_RequestWrite(r, text, strlen(text)));
    show("End", FCGX_RequestEnd(r, 0));
}

static void free_it(struct FCGX_Request *r)
{
    int descriptor = FCGX_RequestInfo(r, FCGX_INFO_DESCRIPTOR);

    FCGX_RequestFree(r);
    printf("its descriptor is open: %d\n", is_open(descriptor));
}

static void end_it(struct FCGX_Request *r)
{
    FCGX_RequestWrite(r, "from the child", 14);
    show("End", FCGX_RequestEnd(r, 0));
    FCGX_RequestFree(r);
}

static void go_on(struct FCGX_Request *r)
{
    show("Next", FCGX_RequestNext(r, 0));
    show("Gone", FCGX_RequestGone(r));
    FCGX_RequestFree(r);
}

static void make_another(struct FCGX_Request *r)
{
    struct FCGX_Request *own = FCGX_RequestNew(listener, 0);

    show("Next", FCGX_RequestNext(own, 0));
    FCGX_RequestFree(own);
    FCGX_RequestFree(r);
}

/* Does something in a child. */
static void in_a_child(struct FCGX_Request *r, void (*act)(struct FCGX_Request *))
{
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        printf("in the child:\n");
        act(r);
        fflush(stdout);
        _exit(0);
    }
    print_child_end("child", child);
}

/* The child does something, and the parent answers. */
static void parent_answers(const char *what, void (*act)(struct FCGX_Request *))
{
    struct FCGX_Request *r = FCGX_RequestNew(listener, 0);
    int client, flags;

    for (flags = 0; flags <= FCGI_KEEP_CONN; flags++) {
        printf("-- the child %s, %s\n", what, flags ? "kept" : "not kept");
        client = begin(r, flags);
        in_a_child(r, act);
        show("Gone", FCGX_RequestGone(r));
        answer(r, "from the parent");
        print_request_reply(client);
        if (flags) {
            send_kept(client, 2);
            show("the next on it", FCGX_RequestNext(r, PATIENCE_MS));
            show("End", FCGX_RequestEnd(r, 0));
            print_request_reply(client);
        }
        close(client);
    }
    FCGX_RequestFree(r);
}

int main(void)
{
    struct FCGX_Request *r;
    int client;

    listener = FCGX_Listen(SOCKET_PATH, 5);
    parent_answers("frees", free_it);
    parent_answers("goes on", go_on);
    parent_answers("waits with another one", make_another);

    printf("-- the child ends it, and the parent frees it\n");
    r = FCGX_RequestNew(listener, 0);
    client = begin(r, 0);
    in_a_child(r, end_it);
    FCGX_RequestFree(r);
    print_reply(client);

    printf("-- a kept connection waits\n");
    r = FCGX_RequestNew(listener, 0);
    client = begin(r, FCGI_KEEP_CONN);
    answer(r, "before the fork");
    print_request_reply(client);
    in_a_child(r, go_on);
    send_kept(client, 2);
    show("the next on it", FCGX_RequestNext(r, PATIENCE_MS));
    answer(r, "after it");
    print_request_reply(client);
    close(client);
    FCGX_RequestFree(r);
    return 0;
}
