// FastCGI streams as C++ streams. fcgio.h documents the classes.
//
// A stream buffer works in one of two ways.
//
// With a buffer from the program, it reads ahead and collects output in that buffer, as any stream buffer
// does.
//
// Without a buffer, the program may use the FCGX_Stream at the same time: the stream is never read ahead of
// the program. But a virtual call for each byte is slow. So a program that has read single bytes for a
// while (std::getline, operator>>) gets the rest of the line as its get area, inside the stream's own
// memory. At the end of the line, both are at the same position again.

#include "fcgio.h"

#include <climits>
#include <cstdio>
#include <cstring>

namespace {

// How many bytes are read one by one before the rest of the line becomes the get area. Each counts twice: see
// underflow and uflow.
const std::streamsize SINGLE_BYTES = 2 * 32;

// Returns how much of `n` one call of a C function, which takes an int, can handle.
int portion(std::streamsize n)
{
    return n > INT_MAX ? INT_MAX : static_cast<int>(n);
}

// Writes `n` bytes. Returns how many the stream has taken. A stream can fail although it has room.
std::streamsize put(FCGX_Stream *stream, const char *s, std::streamsize n)
{
    std::streamsize done = 0;

    while (done < n) {
        const int part = portion(n - done);

        if (FCGX_PutStr(s + done, part, stream) != part || stream->isClosed)
            break;
        done += part;
    }
    return done;
}

// Reads `n` bytes. Returns how many were read before the end.
std::streamsize get(FCGX_Stream *stream, char *s, std::streamsize n)
{
    std::streamsize done = 0;

    while (done < n) {
        const int part = portion(n - done);
        const int got = FCGX_GetStr(s + done, part, stream);

        if (got > 0)
            done += got;
        if (got != part)
            break;
    }
    return done;
}

// Whether the next byte is in the stream's memory. If not, the library has to receive it.
bool is_buffered(const FCGX_Stream *stream)
{
    return stream->rdNext != stream->stop && stream->isReader && !stream->isClosed;
}

// Returns the bytes from `next` to `end`, the rest of a get area inside the stream's memory, to the stream,
// unless the program has read on from the stream itself.
void give_back(FCGX_Stream *stream, char *next, char *end)
{
    if (next != end && stream->rdNext == reinterpret_cast<unsigned char *>(end))
        stream->rdNext = reinterpret_cast<unsigned char *>(next);
}

} // namespace

fcgi_streambuf::fcgi_streambuf(FCGX_Stream *stream, char *buffer, int length)
{
    init(stream, buffer, length);
}

fcgi_streambuf::fcgi_streambuf(std::streambuf::char_type *buffer, std::streamsize length)
{
    init(0, buffer, length);
}

fcgi_streambuf::fcgi_streambuf(FCGX_Stream *stream)
{
    init(stream, 0, 0);
}

fcgi_streambuf::~fcgi_streambuf(void)
{
    // Without pending output the stream is not touched: it may be gone with its request.
    if (pptr() > pbase())
        overflow(traits_type::eof());
}

void fcgi_streambuf::init(FCGX_Stream *stream, std::streambuf::char_type *buffer,
                          std::streamsize length)
{
    fcgx = stream;
    buf = length > 0 ? buffer : 0;
    bufsize = buf != 0 ? length : 0;
    reset();
}

// Drops all bytes that were read ahead or are not written.
void fcgi_streambuf::reset(void)
{
    setg(0, 0, 0);
    setp(0, 0);
    if (buf == 0)
        bufsize = 0;
}

int fcgi_streambuf::attach(FCGX_Stream *stream)
{
    fcgx = stream;
    reset();
    return 0;
}

std::streambuf *fcgi_streambuf::setbuf(std::streambuf::char_type *buffer, std::streamsize length)
{
    if (buf != 0)
        return 0;
    give_back(fcgx, gptr(), egptr());
    init(fcgx, buffer, length);
    return this;
}

// Writes the buffer, which is empty afterwards, and `c`. Sets the put area up, which a reader must not have.
fcgi_streambuf::int_type fcgi_streambuf::overflow(int_type c)
{
    const std::streamsize pending = pptr() - pbase();

    if (fcgx == 0 || fcgx->isReader
        || (pending > 0 && put(fcgx, pbase(), pending) != pending))
        return traits_type::eof();
    if (buf != 0)
        setp(buf, buf + bufsize);
    if (traits_type::eq_int_type(c, traits_type::eof()))
        return traits_type::not_eof(c);
    if (buf != 0) {
        *pptr() = traits_type::to_char_type(c);
        pbump(1);
        return c;
    }
    return FCGX_PutChar(c, fcgx) == EOF || fcgx->isClosed ? traits_type::eof() : c;
}

std::streamsize fcgi_streambuf::xsputn(const std::streambuf::char_type *s, std::streamsize n)
{
    if (buf == 0) {
        if (fcgx == 0 || fcgx->isReader)
            return 0;
        // If the stream's own memory has room, no call is needed.
        if (n > 0 && n <= fcgx->stop - fcgx->wrNext && !fcgx->isClosed) {
            std::memcpy(fcgx->wrNext, s, static_cast<std::size_t>(n));
            fcgx->wrNext += n;
            return n;
        }
        return put(fcgx, s, n);
    }
    if (n <= epptr() - pptr())
        return std::streambuf::xsputn(s, n);
    if (traits_type::eq_int_type(overflow(traits_type::eof()), traits_type::eof()))
        return 0;
    if (n <= epptr() - pptr())
        return std::streambuf::xsputn(s, n);
    return put(fcgx, s, n);
}

// Brings the stream up to date with what the program has read and written here. Bytes that were read ahead
// into the program's own buffer stay there.
int fcgi_streambuf::sync()
{
    if (fcgx == 0)
        return -1;
    if (buf == 0) {
        give_back(fcgx, gptr(), egptr());
        setg(0, 0, 0);
        bufsize = 0;
    }
    if (pptr() > pbase()
        && traits_type::eq_int_type(overflow(traits_type::eof()), traits_type::eof()))
        return -1;
    return FCGX_FFlush(fcgx) == 0 ? 0 : -1;
}

// Returns the next byte without taking it. Without a buffer, `bufsize` is even after uflow has taken a
// byte, and odd after the program has looked at the next one; any other way of reading sets it to 0. After
// a line it is two below the limit, so that of the next line only the first byte is read alone.
fcgi_streambuf::int_type fcgi_streambuf::underflow()
{
    if (gptr() < egptr())
        return traits_type::to_int_type(*gptr());
    if (fcgx == 0)
        return traits_type::eof();
    if (buf != 0) {
        const std::streamsize got = get(fcgx, buf, bufsize);

        // At the end the last bytes stay, so that they can be put back.
        if (got == 0)
            return traits_type::eof();
        setg(buf, buf, buf + got);
        return traits_type::to_int_type(*buf);
    }
    if (!is_buffered(fcgx)) {
        const int c = FCGX_GetChar(fcgx);

        if (c == EOF)
            return traits_type::eof();
        FCGX_UnGetChar(c, fcgx);
    }
    char *const next = reinterpret_cast<char *>(fcgx->rdNext);

    if (bufsize < SINGLE_BYTES) {
        bufsize |= 1;
    } else {
        const std::size_t ahead = static_cast<std::size_t>(fcgx->stop - fcgx->rdNext);
        char *const newline = static_cast<char *>(std::memchr(next, '\n', ahead));

        setg(next, next, newline != 0 ? newline + 1 : next + ahead);
        fcgx->rdNext = reinterpret_cast<unsigned char *>(egptr());
        bufsize = SINGLE_BYTES - 2;
    }
    return traits_type::to_int_type(*next);
}

// Takes the next byte. If it ends a line, the byte after it is read alone again: nothing of the next line is
// taken before the program takes its first byte.
fcgi_streambuf::int_type fcgi_streambuf::uflow()
{
    if (buf != 0 || gptr() < egptr()) {
        const int_type c = underflow();

        if (!traits_type::eq_int_type(c, traits_type::eof()))
            gbump(1);
        return c;
    }
    if (fcgx == 0)
        return traits_type::eof();
    // The get area's bytes could be put back, but they are no longer those read last.
    setg(0, 0, 0);
    bufsize = bufsize & 1 ? bufsize + 1 : 0;
    const int c = is_buffered(fcgx) ? *fcgx->rdNext++ : FCGX_GetChar(fcgx);

    if (c == '\n' && bufsize == SINGLE_BYTES)
        bufsize -= 2;
    return c;
}

std::streamsize fcgi_streambuf::xsgetn(std::streambuf::char_type *s, std::streamsize n)
{
    if (buf != 0 || n <= egptr() - gptr())
        return std::streambuf::xsgetn(s, n);
    if (fcgx == 0)
        return 0;
    const std::streamsize here = std::streambuf::xsgetn(s, egptr() - gptr());

    setg(0, 0, 0);
    bufsize = 0;
    return here + get(fcgx, s + here, n - here);
}

fcgi_istream::fcgi_istream(FCGX_Stream *stream) : std::istream(0), fcgi_strmbuf(stream)
{
    rdbuf(&fcgi_strmbuf);
}

void fcgi_istream::attach(FCGX_Stream *stream)
{
    fcgi_strmbuf.attach(stream);
}

fcgi_ostream::fcgi_ostream(FCGX_Stream *stream) : std::ostream(0), fcgi_strmbuf(stream)
{
    rdbuf(&fcgi_strmbuf);
}

void fcgi_ostream::attach(FCGX_Stream *stream)
{
    fcgi_strmbuf.attach(stream);
}
