/* A signal makes Accept return -EINTR only if the request was initialised with
 * FCGI_FAIL_ACCEPT_ON_INTR. */
#include "fcgi_client.h"

#include <signal.h>
#include <sys/time.h>

static int to_client;
static volatile sig_atomic_t signals;

static void on_alarm(int number)
{
    int saved = errno;

    (void)number;
    signals++;
    if (signals == 3 && write(to_client, "", 1) != 1)
        _exit(98);
    errno = saved;
}

/* Sends signals every 20 ms, so that some of them meet a waiting Accept. */
static void alarms(int on)
{
    struct itimerval every = { { 0, on ? 20000 : 0 }, { 0, on ? 20000 : 0 } };

    setitimer(ITIMER_REAL, &every, NULL);
}

/* Starts a web server that sends its request when it receives a byte. */
static pid_t waiting_client(int *trigger)
{
    int ends[2];
    char byte;
    pid_t child;

    if (pipe(ends) != 0)
        die("pipe");
    child = fork();
    if (child == 0) {
        close(ends[1]);
        if (read(ends[0], &byte, 1) != 1)
            _exit(97);
        print_reply(request_here(""));
        fflush(stdout);
        _exit(0);
    }
    close(ends[0]);
    *trigger = ends[1];
    return child;
}

int main(void)
{
    struct sigaction action;
    FCGX_Request request;
    int sock = listen_here();
    int result;
    pid_t child;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_alarm;
    sigaction(SIGALRM, &action, NULL);

    signals = 100;
    FCGX_InitRequest(&request, sock, FCGI_FAIL_ACCEPT_ON_INTR);
    alarms(1);
    result = FCGX_Accept_r(&request);
    alarms(0);
    printf("with the flag: %s\n", result == -EINTR ? "-EINTR" : "other");
    fflush(stdout);

    signals = 0;
    FCGX_InitRequest(&request, sock, 0);
    child = waiting_client(&to_client);
    alarms(1);
    result = FCGX_Accept_r(&request);
    alarms(0);
    printf("without: %d after at least three signals: %d\n", result, signals >= 3);
    fflush(stdout);
    FCGX_Finish_r(&request);
    print_child_end("client", child);
    return 0;
}
