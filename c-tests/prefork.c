/* Processes that are forked before or after FCGX_Init share one listen socket. */
#include "fcgi_client.h"

#define CHILDREN 4

/* Serves until a request tells it to stop. */
static int serve(int sock)
{
    FCGX_Request request;
    char body[20];
    int got, stop = 0;

    FCGX_Init();
    FCGX_InitRequest(&request, sock, 0);
    while (!stop) {
        if (FCGX_Accept_r(&request) != 0)
            return 1;
        got = FCGX_GetStr(body, sizeof body, request.in);
        stop = got == 4 && memcmp(body, "stop", 4) == 0;
        FCGX_PutStr(body, got, request.out);
        FCGX_Finish_r(&request);
    }
    return 0;
}

static int answered(const char *body)
{
    struct reply reply = { NULL, 0, 0 };
    int client = request_here(body), good;

    while (reply_read(client, &reply, PATIENCE_MS))
        ;
    good = record_at(&reply, 0) > 0 && reply.bytes[5] == strlen(body)
           && memcmp(reply.bytes + FCGI_HEADER_LEN, body, strlen(body)) == 0;
    free(reply.bytes);
    close(client);
    return good;
}

static void with_children(const char *when, int sock)
{
    pid_t children[CHILDREN];
    char body[20];
    int i, good = 0;

    printf("forked %s\n", when);
    fflush(stdout);
    for (i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        if (children[i] == 0)
            _exit(serve(sock));
    }
    for (i = 0; i < 100; i++) {
        sprintf(body, "request %d", i);
        good += answered(body);
    }
    for (i = 0; i < CHILDREN; i++)
        good += answered("stop");
    printf("good answers %d\n", good);
    for (i = 0; i < CHILDREN; i++)
        print_child_end("child", children[i]);
}

int main(void)
{
    FCGX_Request request;
    int sock = FCGX_OpenSocket(SOCKET_PATH, 64);
    int client;

    with_children("before FCGX_Init", sock);
    FCGX_Init();
    with_children("after FCGX_Init", sock);
    FCGX_InitRequest(&request, sock, 0);
    client = request_here("");
    printf("accept in the parent %d\n", FCGX_Accept_r(&request));
    FCGX_Finish_r(&request);
    print_reply(client);
    with_children("after a request", sock);
    return 0;
}
