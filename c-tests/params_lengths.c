/* Names and values of all lengths, in both length forms, split over records. */
#include "fcgi_client.h"

static const size_t lengths[] = { 0, 1, 126, 127, 128, 129, 255, 256, 4096, 30000, 65000 };

int main(void)
{
    FCGX_Request request;
    char *text = malloc(65536);
    size_t i;
    int client;

    memset(text, 'v', 65536);
    FCGX_InitRequest(&request, listen_here(), 0);
    for (i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        client = connect_here();
        send_begin(client, 1, FCGI_RESPONDER, 0);
        send_pair_bytes(client, 1, "VALUE", 5, text, lengths[i]);
        if (lengths[i] < 30000) {
            text[0] = 'n';
            send_pair_bytes(client, 1, text, lengths[i], "value of a long name", 20);
            text[0] = 'v';
        }
        /* The long form for short lengths, and one pair in three records. */
        send_record(client, FCGI_PARAMS, 1, "\x80\0\0\1\x80\0\0\2Lxy", 11);
        send_record(client, FCGI_PARAMS, 1, "\5", 1);
        send_record(client, FCGI_PARAMS, 1, "\4SPL", 4);
        send_record(client, FCGI_PARAMS, 1, "ITover", 6);
        send_end(client, FCGI_PARAMS, 1);
        send_end(client, FCGI_STDIN, 1);
        send_no_more(client);
        FCGX_Accept_r(&request);
        printf("length %lu: value %lu\n", (unsigned long)lengths[i],
               (unsigned long)strlen(FCGX_GetParam("VALUE", request.envp)));
        if (lengths[i] < 30000)
            printf("name %lu\n", (unsigned long)strlen(request.envp[2]));
        printf("L %s, SPLIT %s\n", FCGX_GetParam("L", request.envp),
               FCGX_GetParam("SPLIT", request.envp));
        FCGX_Finish_r(&request);
        print_reply(client);
    }
    free(text);
    return 0;
}
