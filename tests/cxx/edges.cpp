// differs: Edges of the C++ classes
#include "streams.h"

static void without_a_stream()
{
    fcgi_streambuf buffer;
    fcgi_istream in;
    fcgi_ostream out;
    char some[4];

    SHOW(buffer.sgetc());
    SHOW(buffer.sbumpc());
    SHOW(buffer.sgetn(some, 4));
    SHOW(buffer.sputc('x'));
    SHOW(buffer.sputn("xyz", 3));
    SHOW(buffer.pubsync());
    printf("%s\n", (in >> some[0], state(in)));
    printf("%s\n", (out << "x", state(out)));
}

static void negative_lengths()
{
    Source source("abc", 9);
    Sink sink(8);
    fcgi_streambuf reading(&source.stream), writing(&sink.stream);
    char some[4];

    SHOW(reading.sgetn(some, -1));
    SHOW(writing.sputn("abc", -1));
    SHOW(reading.sgetc());
    show_text("sink", sink.all());
}

// More than an int: only what is available is read.
static void huge_length()
{
    Source source("abc", 9);
    fcgi_streambuf buffer(&source.stream);
    static char some[16];

    SHOW(buffer.sgetn(some, static_cast<std::streamsize>(1) << (sizeof(std::streamsize) * 8 - 8)));
    show_text("read", some);
}

static void the_wrong_direction()
{
    Source source("abcdef", 9);
    Sink sink(8);
    char memory[4];
    fcgi_streambuf reading(&source.stream, memory, sizeof memory), writing(&sink.stream);

    SHOW(reading.sgetc());
    SHOW(reading.sputc('x'));
    SHOW(reading.sputn("xy", 2));
    SHOW(reading.sbumpc());
    SHOW(reading.pubsync());
    SHOW(writing.sgetc());
    SHOW(writing.sbumpc());
}

// With a buffer, every read after the end returns nothing.
static void behind_the_end()
{
    Source source("abcdefgh", 9);
    char memory[3], some[16];
    fcgi_streambuf buffer(&source.stream, memory, sizeof memory);

    SHOW(buffer.sgetn(some, 16));
    SHOW(buffer.sgetc());
    SHOW(buffer.sbumpc());
    SHOW(buffer.sgetn(some, 16));
    SHOW(buffer.sungetc());
    SHOW(buffer.sungetc());
    SHOW(buffer.sungetc());
}

// A program that stops in the middle of a line returns the rest with sync.
static void given_back()
{
    Source source(std::string(100, 'a') + " the rest\n", 1000);
    fcgi_istream in(&source.stream);
    std::string word;
    char some[16] = "";

    in >> word;
    SHOW(word.size());
    SHOW(in.sync());
    SHOW(FCGX_GetStr(some, 9, &source.stream));
    show_text("rest", some);
    SHOW(in.get());
}

int main()
{
    without_a_stream();
    negative_lengths();
    huge_length();
    the_wrong_direction();
    behind_the_end();
    given_back();
    return 0;
}
