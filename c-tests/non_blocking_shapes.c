/*
 * A listen socket that the program makes non-blocking. The cases differ in what created the socket,
 * whether it was moved, and whether the flag is set before or after the library is initialised or
 * has served, or before a fork, with and without threads. While the program's flag is set, Accept
 * does not wait. Otherwise it waits, whatever flag the library sets for itself.
 */
#include "fcgi_client.h"

#include <pthread.h>

enum how { BY_LIBRARY, BY_HAND, MOVED };
enum when { BEFORE_INIT, AFTER_INIT, AFTER_A_REQUEST, AFTER_A_SILENT_CONNECTION };

static FCGX_Request request;

static int make(enum how how)
{
    struct sockaddr_un address = { AF_UNIX, SOCKET_PATH };
    int sock;

    unlink(SOCKET_PATH);
    if (how != BY_HAND) {
        sock = FCGX_OpenSocket(SOCKET_PATH, 16);
    } else {
        sock = socket(AF_UNIX, SOCK_STREAM, 0);
        if (bind(sock, (struct sockaddr *)&address, sizeof address) != 0 || listen(sock, 16) != 0)
            die("listen");
    }
    if (how == MOVED) {
        dup2(sock, 0);
        close(sock);
        sock = 0;
    }
    return sock;
}

static void *do_nothing(void *unused)
{
    for (;;)
        pause();
    return unused;
}

static void start_thread(void)
{
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 1 << 16);
    if (pthread_create(&thread, &attributes, do_nothing, NULL) != 0)
        die("pthread_create");
}

/* Returns the result of Accept as text. */
static const char *accept_once(void)
{
    int result = FCGX_Accept_r(&request);

    if (result == 0)
        FCGX_Finish_r(&request);
    return result == 0 ? " 0" : result == -EAGAIN ? " -EAGAIN" : " other";
}

static void serve(void)
{
    int client = request_here("");

    printf("%s", accept_once());
    close(client);
}

/* Sends a request, most likely while Accept waits; if it does not, the test checks less. */
static void serve_later(void)
{
    pid_t child;

    fflush(stdout); /* ThreadSanitizer's _exit would print it again. */
    child = fork();
    if (child == 0) {
        char byte;
        int client;

        poll(NULL, 0, 100);
        client = request_here("");
        while (read(client, &byte, 1) > 0)
            ;
        _exit(0);
    }
    printf("%s", accept_once());
    waitpid(child, NULL, 0);
}

static void use(enum how how, enum when when, int threads)
{
    int sock = make(how), silent = -1;

    if (when == BEFORE_INIT)
        fcntl(sock, F_SETFL, fcntl(sock, F_GETFL) | O_NONBLOCK);
    FCGX_Init();
    if (threads)
        start_thread();
    FCGX_InitRequest(&request, sock, 0);
    if (when == AFTER_INIT)
        fcntl(sock, F_SETFL, fcntl(sock, F_GETFL) | O_NONBLOCK);
    if (when == AFTER_A_SILENT_CONNECTION)
        silent = connect_here();
    if (when >= AFTER_A_REQUEST) {
        serve();
        fcntl(sock, F_SETFL, O_NONBLOCK);
    }
    printf("%s", accept_once());
    serve();
    printf("%s%s; taken away:", accept_once(), accept_once());
    fcntl(sock, F_SETFL, fcntl(sock, F_GETFL) & ~O_NONBLOCK);
    serve_later();
    serve();
    printf("; set again:");
    fcntl(sock, F_SETFL, O_NONBLOCK);
    printf("%s", accept_once());
    serve();
    printf("%s\n", accept_once());
    close(silent);
}

/* Forks a process that waits with threads. The child has not made the socket non-blocking. */
static void fork_while_serving(int threads)
{
    int sock = make(BY_HAND);
    pid_t child;

    FCGX_Init();
    FCGX_InitRequest(&request, sock, 0);
    if (threads)
        start_thread();
    serve();
    serve();
    fflush(stdout);
    child = fork();
    if (child == 0) {
        printf("; child:");
        serve_later();
        fcntl(sock, F_SETFL, O_NONBLOCK);
        printf("%s", accept_once());
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    printf("; parent:%s\n", accept_once());
}

/* Starts two processes that each initialise the library. One of them waits with threads. */
static void fork_before_init(void)
{
    int sock = make(BY_HAND), i;

    for (i = 0; i < 2; i++) {
        pid_t child = fork();

        if (child == 0) {
            FCGX_Init();
            FCGX_InitRequest(&request, sock, 0);
            if (i == 0)
                start_thread();
            serve();
            serve_later();
            fflush(stdout);
            _exit(0);
        }
        waitpid(child, NULL, 0);
    }
    printf("\n");
}

/* Runs a call in a child process. An alarm ends a child that waits when it should not. */
#define ALONE(call)                                                                                   \
    do {                                                                                              \
        pid_t child;                                                                                  \
                                                                                                      \
        fflush(stdout);                                                                               \
        child = fork();                                                                               \
        if (child == 0) {                                                                             \
            alarm(8);                                                                                 \
            call;                                                                                     \
            fflush(stdout);                                                                           \
            _exit(0);                                                                                 \
        }                                                                                             \
        print_child_end(#call, child);                                                                \
    } while (0)

int main(void)
{
    ALONE(use(BY_LIBRARY, BEFORE_INIT, 0));
    ALONE(use(BY_LIBRARY, AFTER_INIT, 0));
    ALONE(use(BY_LIBRARY, AFTER_A_REQUEST, 0));
    ALONE(use(BY_LIBRARY, AFTER_A_SILENT_CONNECTION, 0));
    ALONE(use(BY_HAND, BEFORE_INIT, 0));
    ALONE(use(BY_HAND, AFTER_INIT, 0));
    ALONE(use(BY_HAND, AFTER_A_REQUEST, 0));
    ALONE(use(MOVED, AFTER_INIT, 0));
    ALONE(use(BY_LIBRARY, AFTER_INIT, 1));
    ALONE(use(BY_LIBRARY, AFTER_A_REQUEST, 1));
    ALONE(use(BY_HAND, BEFORE_INIT, 1));
    ALONE(use(BY_HAND, AFTER_INIT, 1));
    ALONE(use(BY_HAND, AFTER_A_REQUEST, 1));
    ALONE(use(MOVED, BEFORE_INIT, 1));
    ALONE(use(MOVED, AFTER_A_REQUEST, 1));
    ALONE(fork_while_serving(0));
    ALONE(fork_while_serving(1));
    ALONE(fork_before_init());
    return 0;
}
