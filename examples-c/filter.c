/*
 * filter: responds with the file from the web server, in capital letters.
 *
 * A filter has two inputs, one after the other: the request's body, as in any program, and then the file
 * to transform (the parameters FCGI_DATA_LENGTH and FCGI_DATA_LAST_MOD are its length and time).
 * FCGX_StartFilterData moves the stream from the first to the second.
 *
 * Usage: filter [ADDRESS]        (without ADDRESS the listen socket is descriptor 0)
 */

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "fcgiapp.h"

enum { BACKLOG = 128 };

static void refuse(FCGX_Request *request, const char *why)
{
    FCGX_FPrintF(request->out,
                 "Status: 500 Internal Server Error\r\n"
                 "Content-Type: text/plain\r\n\r\n"
                 "%s\n",
                 why);
}

static void answer(FCGX_Request *request)
{
    const char *role = FCGX_GetParam("FCGI_ROLE", request->envp);
    char piece[4096];
    int length;

    if (role == NULL || strcmp(role, "FILTER") != 0) {
        refuse(request, "This program is a filter.");
        return;
    }
    /* The body has to be read to its end first, even if it is not needed. */
    while (FCGX_GetStr(piece, sizeof piece, request->in) > 0) {
    }
    if (FCGX_StartFilterData(request->in) != 0) {
        refuse(request, "The file did not come.");
        return;
    }

    FCGX_PutS("Content-Type: text/plain\r\n\r\n", request->out);
    while ((length = FCGX_GetStr(piece, sizeof piece, request->in)) > 0) {
        for (int i = 0; i < length; i++) {
            piece[i] = (char)toupper((unsigned char)piece[i]);
        }
        if (FCGX_PutStr(piece, length, request->out) < 0) {
            return; /* The client has gone. */
        }
    }
    if (FCGX_GetError(request->in) != 0) {
        FCGX_PutS("filter: the file broke off\n", request->err);
        FCGX_SetExitStatus(1, request->out);
    }
}

int main(int argc, char **argv)
{
    FCGX_Request request;
    int listen_socket = 0;

    if (FCGX_Init() != 0) {
        fprintf(stderr, "filter: the library does not start\n");
        return 1;
    }
    if (argc > 1) {
        listen_socket = FCGX_OpenSocket(argv[1], BACKLOG);
    } else if (FCGX_IsCGI()) {
        fprintf(stderr, "filter: descriptor 0 is no listen socket; give an ADDRESS\n");
        return 1;
    }
    if (listen_socket < 0 || FCGX_InitRequest(&request, listen_socket, 0) != 0) {
        fprintf(stderr, "filter: cannot listen\n");
        return 1;
    }

    while (FCGX_Accept_r(&request) == 0) {
        answer(&request);
    }
    FCGX_Free(&request, 1);
    return 0;
}
