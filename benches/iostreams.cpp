/*
 * A FastCGI program on libfcgi++'s stream buffers.
 *
 * Usage: iostreams SCENARIO SIZE THREADS WARM_UP COUNTED; see application.c. THREADS is not used.
 */
#include "measured.h"

#include <fcgio.h>

#include <istream>
#include <ostream>
#include <string>

static void put_out(std::ostream &out, long size)
{
    out << HEAD;
    for (long at = 0; at < size; at += 64)
        out.write(letters + at, 64);
}

static void get_lines(std::istream &in, std::ostream &out)
{
    static std::string line;
    long lines = 0;

    while (std::getline(in, line))
        lines++;
    out << HEAD << lines << '\n';
}

int main(int argc, char **argv)
{
    FCGX_Request request;

    if (argc != 6 || FCGX_Init() != 0)
        return 1;
    const std::string scenario = argv[1];
    const long size = atol(argv[2]);
    warm_up = (unsigned)atol(argv[4]);
    counted = (unsigned)atol(argv[5]);
    if (scenario == "cxx_put")
        make_letters((size_t)size);
    FCGX_InitRequest(&request, 0, 0);
    while (FCGX_Accept_r(&request) == 0) {
        {
            fcgi_streambuf in_buffer(request.in), out_buffer(request.out);
            std::istream in(&in_buffer);
            std::ostream out(&out_buffer);

            if (scenario == "cxx_hello")
                out << HEAD "hello\n";
            else if (scenario == "cxx_put")
                put_out(out, size);
            else
                get_lines(in, out);
        }
        FCGX_Finish_r(&request);
        one_request_done();
    }
    return 2;
}
