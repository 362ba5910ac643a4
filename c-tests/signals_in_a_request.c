/*
 * A signal in the middle of a body does not cut it off.
 * differs: A signal while reading or writing
 */
#include "fcgi_client.h"

#include <signal.h>

static int client, piece;

/* Sends the next piece of the body while the program waits for it. */
static void on_alarm(int number)
{
    (void)number;
    piece++;
    if (piece == 3) {
        send_text(client, FCGI_STDIN, 1, "the rest");
        send_end(client, FCGI_STDIN, 1);
        send_no_more(client);
    } else {
        ualarm(10000, 0);
    }
}

int main(void)
{
    struct sigaction action;
    FCGX_Request request;
    char body[50];
    int got;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_alarm;
    sigaction(SIGALRM, &action, NULL);
    FCGX_InitRequest(&request, listen_here(), 0);
    client = connect_here();
    send_head(client, 1, FCGI_RESPONDER, 0);
    send_text(client, FCGI_STDIN, 1, "first, ");
    FCGX_Accept_r(&request);
    ualarm(10000, 0);
    got = FCGX_GetStr(body, sizeof body, request.in);
    printf("%d \"%.*s\", error %d\n", got, got, body, FCGX_GetError(request.in));
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
