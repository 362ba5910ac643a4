// Reading with a buffer: it is filled completely, and its content can be put back.
#include "streams.h"

static void put_back()
{
    Source source("abcdefghijkl", 3);
    char memory[5];
    fcgi_streambuf buffer(&source.stream, memory, sizeof memory);
    std::istream in(&buffer);

    SHOW(in.peek());
    SHOW(buffer.in_avail());
    SHOW(in.get());
    SHOW(in.get());
    SHOW(in.unget().get());
    SHOW(in.putback('b').get());
    SHOW(in.get());
    SHOW(FCGX_GetChar(&source.stream));
    printf("%s\n", state(in));
}

static void first_byte_and_end()
{
    Source source("ab", 8);
    char memory[4];
    fcgi_streambuf buffer(&source.stream, memory, sizeof memory);

    SHOW(buffer.sungetc());
    SHOW(buffer.sbumpc());
    SHOW(buffer.sbumpc());
    SHOW(buffer.sgetc());
    SHOW(buffer.sungetc());
    SHOW(buffer.sungetc());
    SHOW(buffer.sungetc());
    SHOW(buffer.sputbackc('x'));
    SHOW(buffer.sbumpc());
}

static void buffer_of_one()
{
    Source source("abc", 99);
    char memory[1];
    fcgi_streambuf buffer(&source.stream, memory, 1);

    SHOW(buffer.sbumpc());
    SHOW(buffer.sbumpc());
    SHOW(buffer.sungetc());
    SHOW(buffer.sbumpc());
    SHOW(buffer.sbumpc());
    SHOW(buffer.sgetc());
}

static void lines(std::streamsize size)
{
    Source source("hello\nworld\n\nno newline", 7);
    char memory[64];
    fcgi_streambuf buffer(memory, size);
    std::istream in(&buffer);
    std::string line;

    buffer.attach(&source.stream);
    while (std::getline(in, line))
        show_text("line", line);
    printf("%s\n", state(in));
}

// A buffer can be set once.
static void given_later()
{
    Source source("abcdefghijkl", 99);
    char memory[4], other[8];
    fcgi_streambuf buffer(&source.stream);

    SHOW(buffer.sbumpc());
    SHOW(buffer.pubsetbuf(memory, 4) == &buffer);
    SHOW(buffer.sgetc());
    SHOW(buffer.in_avail());
    SHOW(buffer.pubsetbuf(other, 8) == 0);
    SHOW(buffer.pubsetbuf(0, 0) == 0);
    SHOW(buffer.in_avail());
    SHOW(buffer.pubsync());
    SHOW(buffer.in_avail());
    SHOW(buffer.attach(&source.stream));
    SHOW(buffer.in_avail());
    SHOW(buffer.sgetc());
}

int main()
{
    put_back();
    first_byte_and_end();
    buffer_of_one();
    lines(1);
    lines(6);
    lines(64);
    given_later();
    return 0;
}
