/*
 * A library to preload into serve.c: the system refuses the calls in REFUSE (numbers separated by
 * commas) with the error REFUSE_WITH, from the start or once REFUSE_FROM requests are finished
 * (0: once the library is initialised).
 */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST 32

static void refuse(void)
{
    const char *next = getenv("REFUSE"), *error = getenv("REFUSE_WITH");
    struct sock_filter list[2 * MOST + 2] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    struct sock_fprog program = { 1, list };

    while (next != NULL && *next != '\0' && program.len < 2 * MOST) {
        struct sock_filter is_it =
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)strtoul(next, (char **)&next, 10), 0, 1);
        struct sock_filter answer =
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)atoi(error));

        list[program.len++] = is_it;
        list[program.len++] = answer;
        next += *next == ',';
    }
    list[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0) {
        perror("seccomp");
        _exit(1);
    }
}

/* serve.c reports here how many requests are finished. */
void so_far(int requests);

void so_far(int requests)
{
    const char *from = getenv("REFUSE_FROM");

    if (requests == (from == NULL ? -1 : atoi(from)))
        refuse();
}

__attribute__((constructor)) static void at_start(void)
{
    so_far(-1);
}
