// differs: Write error in a C++ stream
#include "streams.h"

static void without_a_buffer()
{
    Sink sink(4);
    fcgi_ostream out(&sink.stream);

    sink.broken = true;
    out << "1234";
    printf("room: %s\n", state(out));
    out << "56";
    printf("no room: %s\n", state(out));
    out.clear();
    out.put('7');
    printf("closed: %s\n", state(out));
}

static void one_byte()
{
    Sink sink(1);
    fcgi_ostream out(&sink.stream);

    sink.broken = true;
    out.put('1');
    printf("room: %s\n", state(out));
    out.put('2');
    printf("no room: %s\n", state(out));
}

static void with_a_buffer()
{
    Sink sink(4);
    char memory[4];
    fcgi_streambuf buffer(&sink.stream, memory, sizeof memory);
    std::ostream out(&buffer);

    sink.broken = true;
    out << "1234";
    printf("buffer: %s\n", state(out));
    out << "5678";
    printf("room behind it: %s\n", state(out));
    out << "9abcd";
    printf("no room: %s\n", state(out));
}

static void flushed()
{
    Sink sink(4);
    fcgi_ostream out(&sink.stream);

    sink.broken = true;
    out << "1" << std::flush;
    printf("flush: %s\n", state(out));
}

int main()
{
    without_a_buffer();
    one_byte();
    with_a_buffer();
    flushed();
    return 0;
}
