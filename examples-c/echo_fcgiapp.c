/*
 * echo_fcgiapp: echo written with fcgiapp.h.
 *
 * It uses nothing global: the request is a variable of the program, with its streams and parameters.
 * Programs with threads or with their own listen socket need that.
 *
 * Usage: echo_fcgiapp [ADDRESS]        (without ADDRESS the listen socket is descriptor 0)
 */

#include <stdio.h>

#include "fcgiapp.h"

enum { BACKLOG = 128 };

static void answer(FCGX_Request *request)
{
    char piece[4096];
    int length;

    FCGX_PutS("Content-Type: text/plain\r\n\r\n", request->out);
    for (char **entry = request->envp; *entry != NULL; entry++) {
        FCGX_FPrintF(request->out, "%s\n", *entry);
    }
    FCGX_PutS("\n", request->out);

    while ((length = FCGX_GetStr(piece, sizeof piece, request->in)) > 0) {
        if (FCGX_PutStr(piece, length, request->out) < 0) {
            return; /* The client has gone. */
        }
    }
    if (FCGX_GetError(request->in) != 0) {
        FCGX_PutS("echo_fcgiapp: the body broke off\n", request->err);
    }
}

int main(int argc, char **argv)
{
    FCGX_Request request;
    int listen_socket = 0;

    if (FCGX_Init() != 0) {
        fprintf(stderr, "echo_fcgiapp: the library does not start\n");
        return 1;
    }
    if (argc > 1) {
        listen_socket = FCGX_OpenSocket(argv[1], BACKLOG);
    } else if (FCGX_IsCGI()) {
        fprintf(stderr, "echo_fcgiapp: descriptor 0 is no listen socket; give an ADDRESS\n");
        return 1;
    }
    if (listen_socket < 0 || FCGX_InitRequest(&request, listen_socket, 0) != 0) {
        fprintf(stderr, "echo_fcgiapp: cannot listen\n");
        return 1;
    }

    /* Accept finishes the previous request first, and fails after SIGTERM. */
    while (FCGX_Accept_r(&request) == 0) {
        answer(&request);
    }
    FCGX_Free(&request, 1);
    return 0;
}
