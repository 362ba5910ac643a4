/*
 * A program that closes its listen socket still serves its open connection to the end, even with
 * another thread in the process.
 */
#include "fcgi_client.h"

#include <pthread.h>

static void *sleep_on(void *nothing)
{
    pause();
    return nothing;
}

static int serve(FCGX_Request *request)
{
    int result = FCGX_Accept_r(request);

    if (result == 0) {
        FCGX_PutS("answer", request->out);
        FCGX_Finish_r(request);
    }
    return result;
}

static void drain(const char *what)
{
    FCGX_Request request;
    int sock, client, i;

    sock = listen_here();
    FCGX_InitRequest(&request, sock, 0);
    client = connect_here();
    for (i = 0; i < 3; i++) {
        if (i == 1)
            close(sock);
        send_head(client, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
        send_end(client, FCGI_STDIN, 1);
        printf("%s: Accept %d\n", what, serve(&request));
        print_request_reply(client);
    }
    close(client);
    printf("%s: at the end %d\n", what, serve(&request));
}

int main(void)
{
    pthread_t thread;

    drain("one thread");
    pthread_create(&thread, NULL, sleep_on, NULL);
    drain("two threads");
    return 0;
}
