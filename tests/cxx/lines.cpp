// Reads a body line by line, for the test that counts instructions. Arguments: bytes, buffer size.
#include "streams.h"

#include <cstdlib>

extern "C" long read_lines(std::istream *in);

// The test counts only inside this function, which it finds by name.
extern "C" long read_lines(std::istream *in)
{
    std::string line;
    long bytes = 0;

    while (std::getline(*in, line))
        bytes += static_cast<long>(line.size()) + 1;
    return bytes;
}

int main(int argc, char **argv)
{
    const std::size_t length = argc > 1 ? static_cast<std::size_t>(atol(argv[1])) : 0;
    std::string body;

    while (body.size() < length)
        body += std::string(62, 'x') + '\n';
    body.resize(length, 'y');
    Source source(body, 8192);
    fcgi_istream in(&source.stream);

    printf("%ld\n", read_lines(&in));
    return 0;
}
