/*
 * differs: SIGTERM or SIGUSR1 during a request
 *
 * After a shutdown request, the only connection that Accept waits for has the same time for a
 * request as any other, and ends with the response. The original waits endlessly and leaves it
 * open.
 */
#include "fcgi_client.h"

#include <sys/time.h>

static int client, alarms;

static void on_alarm(int number)
{
    alarms++;
    if (alarms == 1)
        FCGX_ShutdownPending();
    else if (alarms == 3)
        send_head(client, 1, FCGI_RESPONDER, FCGI_KEEP_CONN), send_end(client, FCGI_STDIN, 1);
    else if (alarms == 100)
        _exit(number);
}

int main(void)
{
    struct itimerval every = { { 0, 10000 }, { 0, 10000 } };
    FCGX_Request request;
    int pair[2], result;

    FCGX_Init();
    signal(SIGALRM, on_alarm);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    client = pair[1];
    FCGX_InitRequest(&request, -1, 0);
    request.ipcFd = pair[0];
    request.keepConnection = 1;
    setitimer(ITIMER_REAL, &every, NULL);
    result = FCGX_Accept_r(&request);
    printf("Accept %d, keepConnection %d\n", result, request.keepConnection);
    if (result == 0) {
        FCGX_PutS("answer", request.out);
        FCGX_Finish_r(&request);
    }
    print_reply(client);
    printf("Accept %d\n", FCGX_Accept_r(&request));
    return 0;
}
