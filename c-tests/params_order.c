/* envp: FCGI_ROLE first, then all pairs in order of arrival with duplicates, NULL at the end. */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    int client, i;

    FCGX_InitRequest(&request, listen_here(), 0);
    client = connect_here();
    send_begin(client, 1, FCGI_RESPONDER, 0);
    send_pair(client, 1, "FCGI_ROLE", "sent by the server");
    send_pair(client, 1, "TWICE", "first");
    send_pair(client, 1, "TWICE", "second");
    send_pair(client, 1, "EMPTY", "");
    send_pair(client, 1, "", "no name");
    send_pair(client, 1, "A=B", "equal sign in the name");
    send_pair(client, 1, "QUERY_STRING", "a=b&c=d");
    send_pair_bytes(client, 1, "NUL", 3, "a\0b", 3);
    send_end(client, FCGI_PARAMS, 1);
    send_end(client, FCGI_STDIN, 1);
    send_no_more(client);
    printf("accept %d\n", FCGX_Accept_r(&request));
    for (i = 0; request.envp[i] != NULL; i++)
        printf("%d %s\n", i, request.envp[i]);
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
