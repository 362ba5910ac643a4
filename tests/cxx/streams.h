// Shared by the test programs in this directory: streams that read from and write to memory, in
// pieces of a chosen size, and printing.
#ifndef STREAMS_H
#define STREAMS_H

#include <fcgio.h>

#include <cstdio>
#include <cstring>
#include <string>

// A stream to read, whose content arrives in pieces.
class Source {
public:
    FCGX_Stream stream;

    Source(const std::string &content, std::size_t size) : text(content), at(0), piece(size)
    {
        memset(&stream, 0, sizeof stream);
        stream.data = this;
        stream.isReader = 1;
        stream.fillBuffProc = fill;
        stream.rdNext = stream.wrNext = stream.stop = stream.stopUnget = memory + sizeof memory;
    }

private:
    std::string text;
    std::size_t at;
    std::size_t piece;
    unsigned char memory[8192];

    static void fill(FCGX_Stream *s)
    {
        Source *self = static_cast<Source *>(s->data);
        const std::string next = self->text.substr(self->at, self->piece);

        if (next.empty()) {
            s->isClosed = 1;
            return;
        }
        memcpy(self->memory, next.data(), next.size());
        self->at += next.size();
        s->rdNext = s->stopUnget = self->memory;
        s->wrNext = s->stop = self->memory + next.size();
    }

    Source(const Source &);
    Source &operator=(const Source &);
};

// A stream to write, with room for a few bytes, that can be made to fail.
class Sink {
public:
    FCGX_Stream stream;
    std::string text;
    bool broken;

    explicit Sink(std::size_t room) : broken(false)
    {
        memset(&stream, 0, sizeof stream);
        stream.data = this;
        stream.emptyBuffProc = empty;
        stream.wrNext = memory;
        stream.rdNext = stream.stop = memory + room;
    }

    // Returns all that was written, flushed or not.
    std::string all() const
    {
        return text + std::string(reinterpret_cast<const char *>(memory),
                                  static_cast<std::size_t>(stream.wrNext - memory));
    }

private:
    unsigned char memory[64];

    static void empty(FCGX_Stream *s, int)
    {
        Sink *self = static_cast<Sink *>(s->data);

        if (self->broken) {
            s->isClosed = 1;
            s->FCGI_errno = 32;
        } else {
            self->text = self->all();
        }
        s->wrNext = self->memory;
    }

    Sink(const Sink &);
    Sink &operator=(const Sink &);
};

// Prints a value with the text of its expression.
#define SHOW(expression) printf("%s: %ld\n", #expression, static_cast<long>(expression))

inline void show_text(const char *what, const std::string &text)
{
    printf("%s: \"%s\"\n", what, text.c_str());
}

inline const char *state(const std::ios &stream)
{
    if (stream.bad())
        return "bad";
    if (stream.eof())
        return stream.fail() ? "eof, fail" : "eof";
    return stream.fail() ? "fail" : "good";
}

#endif
