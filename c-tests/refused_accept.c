/*
 * A sandbox (seccomp) that refuses only accept4, where requests are still served, and one that
 * refuses every way to accept, where Accept returns the error in every thread that waits. Waiting
 * does not use the processor.
 */
#include "fcgi_client.h"

#include <fcgios.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#ifndef SYS_accept
#define SYS_accept SYS_accept4 /* where the system has only this one */
#endif

/* The declarations of linux/filter.h and linux/seccomp.h, which not every C library has. */
struct instruction {
    uint16_t code;
    uint8_t if_true, if_false;
    uint32_t value;
};
struct program {
    unsigned short length;
    struct instruction *list;
};
enum { LOAD = 0x20, JUMP_IF_EQUAL = 0x15, RETURN = 0x06, FILTER = 2 };
#define RETURN_ERRNO 0x00050000u
#define RETURN_ALLOW 0x7fff0000u

/* Makes two system calls fail with this error, in the calling thread and the threads that it
 * starts. */
static void refuse(int call, int other_call, int error)
{
    struct instruction list[] = {
        { LOAD, 0, 0, 0 }, /* the system call number */
        { JUMP_IF_EQUAL, 1, 0, (unsigned)call },
        { JUMP_IF_EQUAL, 0, 1, (unsigned)other_call },
        { RETURN, 0, 0, RETURN_ERRNO | (unsigned)error },
        { RETURN, 0, 0, RETURN_ALLOW },
    };
    struct program filter = { sizeof list / sizeof *list, list };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
        || prctl(PR_SET_SECCOMP, FILTER, &filter) != 0)
        die("seccomp");
}

static int sock, clients;

static void queue_clients(void)
{
    int i;

    for (i = 0; i < clients; i++)
        send_no_more(request_here("body"));
}

/* Returns the result of Accept_r, with or without a waiting client. */
static int accepted(void)
{
    FCGX_Request request;
    int result;

    FCGX_InitRequest(&request, sock, 0);
    result = FCGX_Accept_r(&request);
    FCGX_Finish_r(&request);
    FCGX_Free(&request, 1);
    return result;
}

static void one_thread(void)
{
    printf("Accept_r %d\n", accepted());
}

static void *in_thread(void *result)
{
    *(int *)result = accepted();
    return NULL;
}

static void two_threads(void)
{
    pthread_t threads[2];
    int results[2], i;

    for (i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, in_thread, &results[i]);
    for (i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    printf("Accept_r %d, %d\n", results[0], results[1]);
}

/* Refuses accept from the second request on. The first one's connection is kept and then ends. */
static void after_a_kept_request(int error)
{
    FCGX_Request request;
    int client = connect_here();

    send_head(client, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
    send_end(client, FCGI_STDIN, 1);
    FCGX_InitRequest(&request, sock, 0);
    printf("Accept_r %d", FCGX_Accept_r(&request));
    FCGX_Finish_r(&request);
    close(client);
    queue_clients();
    refuse(SYS_accept, SYS_accept4, error);
    printf(", then %d\n", FCGX_Accept_r(&request));
}

static void one_for_all(void)
{
    FCGX_Stream *in, *out, *err;
    FCGX_ParamArray envp;

    dup2(sock, 0);
    printf("Accept %d\n", FCGX_Accept(&in, &out, &err, &envp));
    FCGX_Finish();
}

static void os_accept(void)
{
    int fd = OS_Accept(sock, 0, NULL);

    printf("OS_Accept %s\n", fd >= 0 ? "a connection" : strerror(errno));
}

static int milliseconds(struct timeval time)
{
    return (int)(time.tv_sec * 1000 + time.tv_usec / 1000);
}

/* Tries one way to accept in its own process. NULL stands for accepting after a kept request. */
static void attempt(const char *what, void (*accept_once)(void), int call, int error)
{
    struct rusage used;
    pid_t child;
    int status;

    printf("%s, %d clients, %s: ", what, clients, strerror(error));
    fflush(stdout);
    child = fork();
    if (child == 0) {
        sock = listen_here();
        if (accept_once == NULL) {
            after_a_kept_request(error);
        } else {
            queue_clients();
            refuse(call, SYS_accept4, error);
            accept_once();
        }
        fflush(stdout);
        getrusage(RUSAGE_SELF, &used);
        _exit(milliseconds(used.ru_utime) + milliseconds(used.ru_stime) > 300);
    }
    if (waitpid(child, &status, 0) != child || status != 0)
        printf("ended with %d\n", status);
}

int main(void)
{
    static const int errors[] = { EPERM, ENOSYS };
    int i;

    for (i = 0; i < 2; i++) {
        printf("accept4 is refused\n");
        clients = 2;
        attempt("one thread", one_thread, SYS_accept4, errors[i]);
        attempt("two threads", two_threads, SYS_accept4, errors[i]);
        attempt("the library's request", one_for_all, SYS_accept4, errors[i]);
        attempt("by hand", os_accept, SYS_accept4, errors[i]);
        printf("accept is refused, too\n");
        for (clients = 0; clients <= 2; clients += 2) {
            attempt("one thread", one_thread, SYS_accept, errors[i]);
            attempt("two threads", two_threads, SYS_accept, errors[i]);
            attempt("after a kept request", NULL, SYS_accept, errors[i]);
            attempt("the library's request", one_for_all, SYS_accept, errors[i]);
            attempt("by hand", os_accept, SYS_accept, errors[i]);
        }
    }
    return 0;
}
