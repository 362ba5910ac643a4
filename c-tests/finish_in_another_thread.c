/* One thread accepts a request, a second writes to it and a third finishes it. */
#include "fcgi_client.h"

#include <pthread.h>

static FCGX_Request request;

static void *write_it(void *unused)
{
    FCGX_PutS("written elsewhere", request.out);
    return unused;
}

static void *finish_it(void *unused)
{
    FCGX_Finish_r(&request);
    return unused;
}

static void in_a_thread(void *(*function)(void *))
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, function, NULL) != 0)
        die("pthread_create");
    pthread_join(thread, NULL);
}

int main(void)
{
    int client, i;

    FCGX_InitRequest(&request, listen_here(), 0);
    for (i = 0; i < 2; i++) {
        client = request_here("");
        printf("accept %d\n", FCGX_Accept_r(&request));
        in_a_thread(write_it);
        in_a_thread(finish_it);
        print_reply(client);
    }
    return 0;
}
