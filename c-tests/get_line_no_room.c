/*
 * FCGX_GetLine with a buffer of no bytes writes nothing and reads nothing from the stream.
 * differs: `FCGX_GetLine` with room for no byte
 */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Request request;
    char buffer[8] = "#######";
    int client;

    FCGX_InitRequest(&request, listen_here(), 0);
    client = request_here("text");
    FCGX_Accept_r(&request);
    FCGX_GetLine(buffer + 4, 0, request.in);
    FCGX_GetLine(buffer + 4, -1, request.in);
    FCGX_GetLine(buffer + 4, -3, request.in);
    printf("buffer \"%s\", next %c\n", buffer, FCGX_GetChar(request.in));
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
