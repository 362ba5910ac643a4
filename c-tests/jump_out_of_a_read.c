/*
 * A program that leaves a waiting read by siglongjmp from a signal handler continues later at the
 * same byte.
 */
#include "fcgi_client.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>

static sigjmp_buf back;

static void on_alarm(int number)
{
    siglongjmp(back, number);
}

static void set_alarm(void)
{
    struct itimerval once = { { 0, 0 }, { 0, 50000 } };

    setitimer(ITIMER_REAL, &once, NULL);
}

static void read_on(FCGX_Request *request)
{
    char body[20];
    int client = connect_here(), got, i;

    send_head(client, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
    send_text(client, FCGI_STDIN, 1, "one ");
    if (FCGX_Accept_r(request) != 0)
        die("Accept_r");
    got = FCGX_GetStr(body, 4, request->in);
    printf("got \"%.*s\"\n", got, body);
    for (i = 0; i < 3; i++)
        if (sigsetjmp(back, 1) == 0) {
            set_alarm();
            printf("read %d\n", i == 1 ? FCGX_GetStr(body, 20, request->in)
                                       : FCGX_GetChar(request->in));
        }
    send_text(client, FCGI_STDIN, 1, "two");
    send_end(client, FCGI_STDIN, 1);
    got = FCGX_GetStr(body, 20, request->in);
    printf("got \"%.*s\", error %d\n", got, body, FCGX_GetError(request->in));
    FCGX_PutS("answer", request->out);
    FCGX_Finish_r(request);
    print_request_reply(client);
    close(client);
}

int main(void)
{
    FCGX_Request request;

    FCGX_Init();
    signal(SIGALRM, on_alarm);
    FCGX_InitRequest(&request, listen_here(), 0);
    read_on(&request);
    return 0;
}
