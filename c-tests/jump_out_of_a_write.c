/*
 * differs: A write that is left by siglongjmp
 *
 * A program leaves a write by siglongjmp from a signal handler, in the middle of a record, while it
 * waits for a web server that does not read. Nothing can follow, so the connection ends. The
 * original sends its buffer again, and the web server takes it for the rest of the record.
 */
#include "two_threads.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>

static sigjmp_buf back;

static void on_alarm(int number)
{
    siglongjmp(back, number);
}

/* Counts the bytes before the end of the connection that are not the large write's. */
static void *read_others(void *fd)
{
    static long others;
    unsigned char piece[4096];
    ssize_t n, i;

    others = 0;
    while ((n = read(*(int *)fd, piece, sizeof piece)) > 0)
        for (i = 0; i < n; i++)
            others += piece[i] == 'e';
    return &others;
}

static void jump_out(const char *what)
{
    struct itimerval once = { { 0, 0 }, { 0, 100000 } };
    static char large[OUT_BYTES];
    FCGX_Request request;
    pthread_t client;
    void *others;
    int ends[2];

    memset(large, 'x', sizeof large);
    accept_on_tcp(&request, ends);
    if (sigsetjmp(back, 1) == 0) {
        setitimer(ITIMER_REAL, &once, NULL);
        FCGX_PutStr(large, sizeof large, request.out);
        printf("not left\n");
    }
    FCGX_PutS("eeee", request.err);
    pthread_create(&client, NULL, read_others, &ends[0]);
    printf("%s: flush %d\n", what, FCGX_FFlush(request.err));
    FCGX_Finish_r(&request);
    pthread_join(client, &others);
    printf("behind the cut record: %ld\n", *(long *)others);
}

static void *sleep_on(void *nothing)
{
    sigset_t signals;

    sigfillset(&signals);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    pause();
    return nothing;
}

int main(void)
{
    pthread_t other;

    FCGX_Init();
    signal(SIGALRM, on_alarm);
    jump_out("one thread");
    pthread_create(&other, NULL, sleep_on, NULL);
    poll(NULL, 0, 50);
    jump_out("two threads");
    return 0;
}
