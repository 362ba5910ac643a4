/* A sandbox without epoll: calls that do not wait, the head of a new connection on its way, limits of time and
 * FCGX_RequestCancel. */
#include "request.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static void refuse_epoll(void)
{
    struct sock_filter list[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_create1, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof list / sizeof *list, list };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        die("seccomp");
}

static void wait_for(struct FCGX_Request *r, int timeout, int most, const char *what)
{
    long begin = milliseconds(), took;
    int result = FCGX_RequestNext(r, timeout);

    took = milliseconds() - begin;
    printf("%s: %s%s\n", what, result_text(result),
           result == 0 && took < timeout ? ", too early" : took > most ? ", too late" : "");
}

static void *send_later(void *client)
{
    usleep(2 * 1000);
    send_head(*(int *)client, 1, FCGI_RESPONDER, 0);
    send_end(*(int *)client, FCGI_STDIN, 1);
    return NULL;
}

static void *cancel_later(void *request)
{
    usleep(20 * 1000);
    FCGX_RequestCancel(request);
    return NULL;
}

int main(void)
{
    int sock, client;
    struct FCGX_Request *r;
    pthread_t thread;

    refuse_epoll();
    sock = FCGX_Listen(SOCKET_PATH, 32);
    r = FCGX_RequestNew(sock, 0);
    printf("no descriptor: %d\n", FCGX_PollDescriptor(sock) == -ENOSYS);
    wait_for(r, 0, 80, "nothing");
    wait_for(r, 30, 90, "nothing for 30 ms");
    client = connect_here();
    pthread_create(&thread, NULL, send_later, &client);
    wait_for(r, 0, 5000, "a head on its way");
    pthread_join(thread, NULL);
    show("End", FCGX_RequestEnd(r, 0));
    print_reply(client);
    pthread_create(&thread, NULL, cancel_later, r);
    wait_for(r, -1, 5000, "cancelled");
    pthread_join(thread, NULL);
    FCGX_RequestFree(r);
    return 0;
}
