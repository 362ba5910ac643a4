/*
 * authorizer: lets requests pass that carry the right bearer token.
 *
 * An authorizer decides for the web server whether a request may go on. Status 200 means yes, and every
 * header "Variable-NAME: value" becomes the parameter NAME of the program that then serves the request.
 * Any other status means no, and the response goes to the client.
 *
 * The token is read from the environment variable AUTHORIZER_TOKEN when the program starts.
 *
 * Usage: AUTHORIZER_TOKEN=secret authorizer [ADDRESS]
 *        (without ADDRESS the listen socket is descriptor 0)
 */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fcgiapp.h"

enum { BACKLOG = 128 };

/* Compares to the end, so that the time taken does not reveal where the first difference is. */
static bool equal_secrets(const char *given, const char *expected)
{
    size_t given_length = strlen(given);
    size_t expected_length = strlen(expected);
    unsigned int difference = given_length != expected_length;

    for (size_t i = 0; i < given_length && i < expected_length; i++) {
        difference |= (unsigned char)given[i] ^ (unsigned char)expected[i];
    }
    return difference == 0;
}

static bool is_allowed(FCGX_Request *request, const char *token)
{
    static const char scheme[] = "Bearer ";
    const char *header = FCGX_GetParam("HTTP_AUTHORIZATION", request->envp);

    return header != NULL && strncmp(header, scheme, sizeof scheme - 1) == 0 &&
           equal_secrets(header + sizeof scheme - 1, token);
}

static void answer(FCGX_Request *request, const char *token)
{
    const char *role = FCGX_GetParam("FCGI_ROLE", request->envp);

    if (role == NULL || strcmp(role, "AUTHORIZER") != 0) {
        FCGX_PutS("Status: 500 Internal Server Error\r\n"
                  "Content-Type: text/plain\r\n\r\n"
                  "This program is an authorizer.\n",
                  request->out);
    } else if (is_allowed(request, token)) {
        FCGX_PutS("Status: 200 OK\r\n"
                  "Variable-AUTHORIZED_BY: authorizer\r\n\r\n",
                  request->out);
    } else {
        FCGX_PutS("Status: 401 Unauthorized\r\n"
                  "WWW-Authenticate: Bearer\r\n"
                  "Content-Type: text/plain\r\n\r\n"
                  "A bearer token is needed.\n",
                  request->out);
    }
}

int main(int argc, char **argv)
{
    FCGX_Request request;
    int listen_socket = 0;
    const char *token = getenv("AUTHORIZER_TOKEN");

    if (token == NULL || *token == '\0') {
        fprintf(stderr, "authorizer: AUTHORIZER_TOKEN is not set\n");
        return 1;
    }
    if (FCGX_Init() != 0) {
        fprintf(stderr, "authorizer: the library does not start\n");
        return 1;
    }
    if (argc > 1) {
        listen_socket = FCGX_OpenSocket(argv[1], BACKLOG);
    } else if (FCGX_IsCGI()) {
        fprintf(stderr, "authorizer: descriptor 0 is no listen socket; give an ADDRESS\n");
        return 1;
    }
    if (listen_socket < 0 || FCGX_InitRequest(&request, listen_socket, 0) != 0) {
        fprintf(stderr, "authorizer: cannot listen\n");
        return 1;
    }

    while (FCGX_Accept_r(&request) == 0) {
        answer(&request, token);
    }
    FCGX_Free(&request, 1);
    return 0;
}
