// Reading without a buffer takes from the FCGX_Stream exactly what the program reads.
#include "streams.h"

static void lines(std::size_t piece)
{
    Source source("hello\nworld\n\nno newline", piece);
    fcgi_istream in(&source.stream);
    std::string line;

    while (std::getline(in, line))
        show_text("line", line);
    printf("%s\n", state(in));
}

static void words()
{
    Source source("  seven 7\t-8 9.5\n", 4);
    fcgi_istream in(&source.stream);
    std::string word;
    int seven = 0, eight = 0;
    double nine = 0;

    in >> word >> seven >> eight >> nine;
    printf("%s %d %d %.1f %s\n", word.c_str(), seven, eight, nine, state(in));
    in >> word;
    printf("%s\n", state(in));
}

// Both ways to read, alternating.
static void beside_the_stream()
{
    Source source("abcdef\nsecond line\nrest", 4);
    fcgi_streambuf buffer(&source.stream);
    std::istream in(&buffer);
    std::string text;
    char some[8] = "";

    SHOW(in.peek());
    SHOW(in.peek());
    SHOW(FCGX_GetChar(&source.stream));
    SHOW(in.get());
    SHOW(in.peek());
    SHOW(buffer.in_avail());
    SHOW(FCGX_GetChar(&source.stream));
    in.read(some, 2);
    SHOW(FCGX_GetChar(&source.stream));
    show_text("read", some);
    std::getline(in, text);
    SHOW(FCGX_GetChar(&source.stream));
    std::getline(in, text);
    show_text("line", text);
    in >> std::ws;
    SHOW(FCGX_GetStr(some, 4, &source.stream));
    SHOW(in.get());
    printf("%s\n", state(in));
}

static void bytes()
{
    Source source(std::string("a\377\0b", 4), 3);
    fcgi_streambuf buffer(&source.stream);

    SHOW(buffer.sgetc());
    SHOW(buffer.sbumpc());
    SHOW(buffer.snextc());
    SHOW(buffer.sbumpc());
    SHOW(buffer.sbumpc());
    SHOW(buffer.sgetc());
    SHOW(buffer.sbumpc());
}

// Lines longer than any part that is searched byte by byte, also across the pieces.
static void long_lines(std::size_t piece)
{
    std::string text, line;

    for (int i = 0; i < 400; i++)
        text += i % 97 == 96 ? '\n' : static_cast<char>('a' + i % 26);
    Source source(text, piece);
    fcgi_istream in(&source.stream);

    while (std::getline(in, line)) {
        show_text("line", line);
        // The FCGX_Stream also is at the start of the next line here.
        const int c = in.peek();

        if (c == EOF)
            break;
        printf("%d %d\n", c, FCGX_GetChar(&source.stream));
    }
    printf("%s\n", state(in));
}

static void pieces_and_ignored()
{
    Source source(std::string(3000, 'x') + "\nend", 1000);
    fcgi_istream in(&source.stream);
    char some[2000];

    in.read(some, 1999);
    SHOW(in.gcount());
    in.ignore(500);
    SHOW(in.gcount());
    in.ignore(5000, '\n');
    SHOW(in.gcount());
    in.read(some, 10);
    SHOW(in.gcount());
    printf("%s\n", state(in));
}

static void attached_again()
{
    Source first("first\nnot read", 100), second("second", 100);
    fcgi_istream in;
    std::string line;

    in.attach(&first.stream);
    in.clear();
    std::getline(in, line);
    show_text("line", line);
    in.attach(&second.stream);
    std::getline(in, line);
    show_text("line", line);
    in.attach(&first.stream);
    printf("%s\n", state(in));
    in.clear();
    std::getline(in, line);
    show_text("line", line);
}

int main()
{
    lines(1);
    lines(100);
    words();
    beside_the_stream();
    bytes();
    long_lines(5);
    long_lines(1000);
    pieces_and_ignored();
    attached_again();
    return 0;
}
