/*
 * A connection that ends between two pairs carries no request: the program must not run with only a
 * part of the parameters.
 * differs: Connection that ends among the parameters, between two of them
 */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    int cut, whole;

    FCGX_InitRequest(&request, listen_here(), 0);
    cut = connect_here();
    send_begin(cut, 1, FCGI_RESPONDER, 0);
    send_pair(cut, 1, "ONE", "of two");
    send_no_more(cut);
    whole = request_here("");
    printf("accept %d", FCGX_Accept_r(&request));
    if (FCGX_GetParam("ONE", request.envp) != NULL) {
        printf(", with part of the parameters\n");
        return 1;
    }
    printf(", a whole request\n");
    FCGX_Finish_r(&request);
    print_reply(cut);
    print_reply(whole);
    return 0;
}
