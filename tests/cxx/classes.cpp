// The classes as programs use them: as values, as bases, by their run-time types.
#include "streams.h"

#include <new>
#include <typeinfo>

// A stream buffer that counts, on top of the library's.
class Counting : public fcgi_streambuf {
public:
    int calls;

    explicit Counting(FCGX_Stream *stream) : fcgi_streambuf(stream), calls(0) {}

protected:
    virtual int overflow(int c)
    {
        calls++;
        return fcgi_streambuf::overflow(c);
    }

    virtual int uflow()
    {
        calls++;
        return fcgi_streambuf::uflow();
    }

    virtual std::streamsize xsputn(const char *s, std::streamsize n)
    {
        calls++;
        return fcgi_streambuf::xsputn(s, n);
    }
};

class Input : public fcgi_istream {
public:
    int attached;

    Input() : attached(0) {}

    virtual void attach(FCGX_Stream *stream)
    {
        attached++;
        fcgi_istream::attach(stream);
    }
};

static void derived()
{
    Source source("hi", 9);
    Sink sink(8);
    Counting reading(&source.stream), writing(&sink.stream);
    std::istream in(&reading);
    std::ostream out(&writing);
    Input input;
    fcgi_istream &base = input;

    SHOW(in.get());
    SHOW(in.get());
    SHOW(reading.calls);
    out << "text";
    out.put('c');
    SHOW(writing.calls);
    show_text("sink", sink.all());
    base.attach(&source.stream);
    SHOW(input.attached);
}

static void run_time_types()
{
    fcgi_istream in;
    fcgi_ostream out;
    std::istream &as_istream = in;
    std::ostream &as_ostream = out;

    SHOW(typeid(as_istream) == typeid(fcgi_istream));
    SHOW(typeid(as_ostream) == typeid(fcgi_ostream));
    SHOW(dynamic_cast<fcgi_istream *>(&as_istream) == &in);
    SHOW(dynamic_cast<fcgi_streambuf *>(in.rdbuf()) != 0);
    SHOW(dynamic_cast<fcgi_ostream *>(static_cast<std::ios *>(&in)) == 0);
    printf("%s\n", state(in));
}

// Deleted through every base with a virtual destructor.
static void on_the_heap()
{
    Sink sink(8);
    std::ios *const stream = new fcgi_istream;
    std::ostream *const out = new fcgi_ostream(&sink.stream);
    std::streambuf *const buffer = new fcgi_streambuf(&sink.stream);

    *out << "heap";
    delete stream;
    delete out;
    delete buffer;
    show_text("sink", sink.all());
}

int main()
{
    SHOW(sizeof(fcgi_streambuf));
    SHOW(sizeof(fcgi_istream));
    SHOW(sizeof(fcgi_ostream));
    derived();
    run_time_types();
    on_the_heap();
    return 0;
}
