// Writing with and without a buffer: everything arrives in order when it is flushed.
#include "streams.h"

static void without_a_buffer()
{
    Sink sink(8);
    fcgi_ostream out(&sink.stream);

    out << "hello " << 42 << ' ' << 1.5;
    show_text("before the flush", sink.text);
    out << std::flush;
    show_text("after it", sink.text);
    out.put('x') << std::endl;
    show_text("at the end of the line", sink.text);
    out << std::string(40, 'y');
    show_text("all", sink.all());
    printf("%s\n", state(out));
}

static void with_a_buffer(std::streamsize size)
{
    Sink sink(8);
    char memory[32];

    {
        fcgi_streambuf buffer(&sink.stream, memory, static_cast<int>(size));
        std::ostream out(&buffer);

        for (int i = 0; i < 10; i++)
            out << i << ", ";
        out << "and a long piece that is larger than every buffer" << std::flush;
        show_text("flushed", sink.text);
        out << "tail";
        printf("%s\n", state(out));
    }
    // The destructor passes the content on and does not flush.
    show_text("all", sink.all());
}

static void bytes()
{
    Sink sink(8);
    fcgi_streambuf buffer(&sink.stream);

    SHOW(buffer.sputc('\377') != EOF);
    SHOW(buffer.sputc('\0') != EOF);
    SHOW(buffer.sputn("a\0b", 3));
    SHOW(buffer.sputn("", 0));
    SHOW(buffer.pubsync());
    SHOW(sink.text.size());
    SHOW(sink.text == std::string("\377\0a\0b", 5));
}

static void attached_again()
{
    Sink first(8), second(8);
    fcgi_ostream out;

    out.attach(&first.stream);
    out.clear();
    out << "one" << std::flush;
    out.attach(&second.stream);
    out << "two" << std::flush;
    out.setstate(std::ios::failbit);
    out.attach(&first.stream);
    printf("%s\n", state(out));
    out.clear();
    out << "three" << std::flush;
    show_text("first", first.text);
    show_text("second", second.text);
}

// Content that was not flushed is lost with its stream.
static void lost_with_its_stream()
{
    Sink first(8), second(8);
    char memory[16];
    fcgi_streambuf buffer(&first.stream, memory, sizeof memory);

    buffer.sputn("lost", 4);
    buffer.attach(&second.stream);
    buffer.sputn("kept", 4);
    SHOW(buffer.pubsync());
    show_text("first", first.all());
    show_text("second", second.all());
}

// As in programs that were written for CGI.
static void cout_itself()
{
    Sink sink(8);
    fcgi_streambuf buffer(&sink.stream);
    std::streambuf *const before = std::cout.rdbuf(&buffer);

    std::cout << "to the web server" << std::endl;
    std::cout.rdbuf(before);
    show_text("sink", sink.text);
}

int main()
{
    without_a_buffer();
    with_a_buffer(1);
    with_a_buffer(7);
    with_a_buffer(32);
    bytes();
    attached_again();
    lost_with_its_stream();
    cout_itself();
    return 0;
}
