/*
 * FastCGI streams as C++ streams: see fcgio(3). Written by hand.
 *
 * Programs hold these classes as values and derive from them: neither their size nor their virtual
 * functions may change.
 */
#ifndef FCGIO_H
#define FCGIO_H

#include <iostream>

#include "fcgiapp.h"

#ifndef DLLAPI
#ifdef _WIN32
#define DLLAPI __declspec(dllimport)
#else
#define DLLAPI
#endif
#endif

/* For programs from the time when the C++ library did not have it. */
typedef char char_type;

/** A stream buffer over an FCGX_Stream, which stays the caller's. It reads or it writes, as that does. */
class DLLAPI fcgi_streambuf : public std::streambuf {
public:
    /** With a buffer of `len` bytes at `buf`, which stays the caller's and lives as long. */
    fcgi_streambuf(FCGX_Stream *fcgx, char *buf, int len);

    /** The same, to be attached to a stream later. */
    fcgi_streambuf(std::streambuf::char_type *buf, std::streamsize len);

    /** Without a buffer. */
    fcgi_streambuf(FCGX_Stream *fcgx = 0);

    /** Passes on to the stream what is still in the buffer. */
    ~fcgi_streambuf(void);

    /**
     * Goes on with another stream, or with none (0). What is in the buffer is lost: flush before, while
     * the old stream is still there.
     *
     * Results: 0.
     */
    int attach(FCGX_Stream *fcgx);

protected:
    virtual int_type overflow(int_type c = traits_type::eof());
    virtual int sync();
    virtual int_type uflow();
    virtual int_type underflow();

    /** Takes a buffer if there is none. Results: this, or 0 if there is one. */
    virtual std::streambuf *setbuf(std::streambuf::char_type *buf, std::streamsize len);

    virtual std::streamsize xsgetn(std::streambuf::char_type *s, std::streamsize n);
    virtual std::streamsize xsputn(const std::streambuf::char_type *s, std::streamsize n);

private:
    FCGX_Stream *fcgx;
    std::streambuf::char_type *buf;
    /* Without a buffer: how long the program has been looking at single bytes, see underflow. */
    std::streamsize bufsize;

    void init(FCGX_Stream *fcgx, std::streambuf::char_type *buf, std::streamsize bufsize);
    void reset(void);
};

/** An input stream with an fcgi_streambuf of its own, without a buffer. */
class DLLAPI fcgi_istream : public std::istream {
public:
    fcgi_istream(FCGX_Stream *fcgx = 0);
    ~fcgi_istream(void) {}

    /** Goes on with another stream. The state stays: clear() it after an end or an error. */
    virtual void attach(FCGX_Stream *fcgx);

private:
    fcgi_streambuf fcgi_strmbuf;
};

/** An output stream with an fcgi_streambuf of its own, without a buffer. */
class DLLAPI fcgi_ostream : public std::ostream {
public:
    fcgi_ostream(FCGX_Stream *fcgx = 0);
    ~fcgi_ostream(void) {}

    /** Goes on with another stream. The state stays: clear() it after an error. */
    virtual void attach(FCGX_Stream *fcgx);

private:
    fcgi_streambuf fcgi_strmbuf;
};

#endif /* FCGIO_H */
