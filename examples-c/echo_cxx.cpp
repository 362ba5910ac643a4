/*
 * echo_cxx: echo_fcgiapp written with fcgio.h, which makes the request's streams C++ streams.
 *
 * Usage: echo_cxx [ADDRESS]        (without ADDRESS the listen socket is descriptor 0)
 */

#include <iostream>

#include "fcgio.h"

static const int BACKLOG = 128;

static void answer(FCGX_Request &request)
{
    fcgi_istream in(request.in);
    fcgi_ostream out(request.out);
    fcgi_ostream err(request.err);
    char piece[4096];

    out << "Content-Type: text/plain\r\n\r\n";
    for (char **entry = request.envp; *entry != 0; entry++) {
        out << *entry << '\n';
    }
    out << '\n';

    while (in.read(piece, sizeof piece), in.gcount() > 0) {
        if (!out.write(piece, in.gcount())) {
            return; /* The client has gone. */
        }
    }
    if (FCGX_GetError(request.in) != 0) {
        err << "echo_cxx: the body broke off\n";
    }
}

int main(int argc, char **argv)
{
    FCGX_Request request;
    int listen_socket = 0;

    if (FCGX_Init() != 0) {
        std::cerr << "echo_cxx: the library does not start\n";
        return 1;
    }
    if (argc > 1) {
        listen_socket = FCGX_OpenSocket(argv[1], BACKLOG);
    } else if (FCGX_IsCGI()) {
        std::cerr << "echo_cxx: descriptor 0 is no listen socket; give an ADDRESS\n";
        return 1;
    }
    if (listen_socket < 0 || FCGX_InitRequest(&request, listen_socket, 0) != 0) {
        std::cerr << "echo_cxx: cannot listen\n";
        return 1;
    }

    /* The C++ streams are destroyed before Accept finishes the request and, with it, their FCGX_Streams. */
    while (FCGX_Accept_r(&request) == 0) {
        answer(request);
    }
    FCGX_Free(&request, 1);
    return 0;
}
