/* FCGX_Accept_r in one thread and FCGX_RequestNext in another on one listen socket: each serves new and kept
 * connections, whoever has served their last request, and no descriptor is lost. */
#include "request.h"

#include <dirent.h>

#define EACH 200
#define CLIENTS 4

static int listener;

static int descriptors(void)
{
    DIR *list = opendir("/proc/self/fd");
    int count = 0;

    while (readdir(list) != NULL)
        count++;
    closedir(list);
    return count;
}

struct server {
    pthread_t thread;
    struct FCGX_Request *request;
    int left, kept, failed;
};

/* Serves as many requests as it is told, by fcgiapp.h. */
static void *by_accept(void *argument)
{
    struct server *s = argument;
    FCGX_Request request;
    char body[16];

    FCGX_InitRequest(&request, listener, 0);
    for (; s->left > 0; s->left--) {
        s->failed += FCGX_Accept_r(&request) != 0;
        s->kept += request.keepConnection;
        FCGX_PutStr(body, FCGX_GetStr(body, sizeof body, request.in), request.out);
        FCGX_Finish_r(&request);
    }
    return NULL;
}

/* Serves as many requests as it is told, by fcgi_request.h. */
static void *by_next(void *argument)
{
    struct server *s = argument;
    char body[16];
    ptrdiff_t n;

    for (; s->left > 0; s->left--) {
        s->failed += FCGX_RequestNext(s->request, -1) != 1;
        s->kept += FCGX_RequestInfo(s->request, FCGX_INFO_KEEP);
        while ((n = FCGX_RequestRead(s->request, body, sizeof body)) > 0)
            FCGX_RequestWrite(s->request, body, (size_t)n);
        s->failed += n != 0;
        s->failed += FCGX_RequestEnd(s->request, 0) != 0;
    }
    return NULL;
}

struct client {
    pthread_t thread;
    int kept, good;
};

/* Returns whether the reply is the body that was sent. */
static int is_right(struct reply *reply, const char *body)
{
    return reply->length > FCGI_HEADER_LEN + strlen(body)
           && memcmp(reply->bytes + FCGI_HEADER_LEN, body, strlen(body)) == 0;
}

static void *send_requests(void *argument)
{
    struct client *c = argument;
    int i, fd = -1;

    for (i = 0; i < 2 * EACH / CLIENTS; i++) {
        struct reply reply = { NULL, 0, 0 };
        char body[16];

        sprintf(body, "body %d", i);
        if (fd < 0)
            fd = connect_here();
        send_head(fd, 1, FCGI_RESPONDER, c->kept ? FCGI_KEEP_CONN : 0);
        send_text(fd, FCGI_STDIN, 1, body);
        send_end(fd, FCGI_STDIN, 1);
        c->good += reply_read_request(fd, &reply) && is_right(&reply, body);
        free(reply.bytes);
        if (!c->kept || i == EACH / CLIENTS)
            close(fd), fd = -1;
    }
    if (fd >= 0)
        close(fd);
    return NULL;
}

/* Lets both threads serve; both get new and kept connections. */
static void round_of(struct FCGX_Request *r)
{
    struct server servers[2] = { { .left = EACH }, { .request = r, .left = EACH } };
    struct client clients[CLIENTS] = { { .kept = 1 }, { .kept = 0 }, { .kept = 1 }, { .kept = 0 } };
    int i, good = 0;

    pthread_create(&servers[0].thread, NULL, by_accept, &servers[0]);
    pthread_create(&servers[1].thread, NULL, by_next, &servers[1]);
    for (i = 0; i < CLIENTS; i++)
        pthread_create(&clients[i].thread, NULL, send_requests, &clients[i]);
    for (i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        good += clients[i].good;
    }
    for (i = 0; i < 2; i++)
        pthread_join(servers[i].thread, NULL);
    printf("right %d, failed %d and %d, kept %d\n", good, servers[0].failed, servers[1].failed,
           servers[0].kept + servers[1].kept);
}

static void *accept_until_shutdown(void *result)
{
    FCGX_Request request;

    FCGX_InitRequest(&request, listener, 0);
    *(int *)result = FCGX_Accept_r(&request);
    return NULL;
}

/* A kept connection is served by one API and then by the other. */
static void in_turns(struct FCGX_Request *r)
{
    FCGX_Request request;
    int client = connect_here();

    FCGX_InitRequest(&request, listener, 0);
    send_kept(client, 1);
    printf("accept %d\n", FCGX_Accept_r(&request));
    FCGX_Finish_r(&request);
    print_request_reply(client);
    send_kept(client, 2);
    show("Next", FCGX_RequestNext(r, -1));
    show("End", FCGX_RequestEnd(r, 0));
    print_request_reply(client);
    send_kept(client, 3);
    send_kept(client, 4);
    printf("accept %d\n", FCGX_Accept_r(&request));
    FCGX_Finish_r(&request);
    print_request_reply(client);
    show("Next", FCGX_RequestNext(r, -1));
    show("End", FCGX_RequestEnd(r, 0));
    print_request_reply(client);
    close(client);
}

int main(void)
{
    struct FCGX_Request *r;
    pthread_t thread;
    int before, after, i, result = 0;

    listener = FCGX_Listen(SOCKET_PATH, 16);
    r = FCGX_RequestNew(listener, 0);
    in_turns(r);
    round_of(r);
    show("no other", FCGX_RequestNext(r, 0));
    before = descriptors();
    for (i = 0; i < 3; i++)
        round_of(r);
    show("no other", FCGX_RequestNext(r, 0));
    after = descriptors();
    printf("descriptors: %s\n", after <= before ? "flat" : "more than before");

    printf("shutdown ends both waits\n");
    pthread_create(&thread, NULL, accept_until_shutdown, &result);
    FCGX_ShutdownPending();
    show("Next", FCGX_RequestNext(r, -1));
    pthread_join(thread, NULL);
    printf("Accept_r: %s\n", result == -EINTR ? "-EINTR" : "another");
    FCGX_RequestFree(r);
    return 0;
}
