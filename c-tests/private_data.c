/*
 * How map servers check whether the client has gone. They repeat the original's declaration of the
 * private struct behind a stream, find the request through it, and check its connection.
 */
#include "fcgi_client.h"

struct private_data {
    unsigned char *buffer;
    int length;
    unsigned char *memory, *stop;
    int numbers[7];
    FCGX_Request *request;
};

static void look(const char *what, const FCGX_Stream *stream, const FCGX_Request *request)
{
    const struct private_data *data = stream->data;

    printf("%s: %s", what, data->request == request ? "the request" : "something else");
    printf(", connection %s\n", data->request && data->request->ipcFd >= 0 ? "found" : "not found");
}

static void look_everywhere(const FCGX_Request *request)
{
    look("in", request->in, request);
    look("out", request->out, request);
    look("err", request->err, request);
}

int main(void)
{
    FCGX_Request request;
    int client, i;
    char byte;

    FCGX_InitRequest(&request, listen_here(), 0);
    for (i = 0; i < 2; i++) {
        client = request_here("body");
        FCGX_Accept_r(&request);
        look_everywhere(&request);
        FCGX_GetChar(request.in);
        FCGX_PutS("text", request.out);
        FCGX_FFlush(request.out);
        look_everywhere(&request);
        FCGX_Finish_r(&request);
        close(client);
    }
    client = connect_here();
    send_request(client, "");
    FCGX_Accept_r(&request);
    printf("there: %d\n", (int)recv(request.ipcFd, &byte, 1, MSG_PEEK | MSG_DONTWAIT));
    close(client);
    printf("gone: %d\n", (int)recv(request.ipcFd, &byte, 1, MSG_PEEK | MSG_DONTWAIT));
    FCGX_Finish_r(&request);
    return 0;
}
