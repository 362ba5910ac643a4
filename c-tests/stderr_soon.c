/* Output to the error stream is sent after half a kilobyte, without a flush. */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    int client, written = 0, i;

    FCGX_InitRequest(&request, listen_here(), 0);
    client = request_here("");
    FCGX_Accept_r(&request);
    for (i = 0; i < 3; i++) {
        while (!fd_is_readable(client, 0) && written < 100000) {
            FCGX_PutChar('e', request.err);
            written++;
        }
        printf("the next is here after %d bytes\n", written);
        print_arrived(client);
    }
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
