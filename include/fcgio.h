/*
 * fcgio.h: FastCGI streams as C++ streams. Programs link with -lfcgi++ -lfcgi. fcgio(3) is the manual
 * page, with an example. Written by hand.
 *
 * Ownership: the FCGX_Stream stays the request's. No object here is used after the request is
 * finished, until it is attached to another stream.
 *
 * Threads and signals: as for the FCGX_Stream, see fcgiapp.h.
 *
 * Errors: a failed write sets badbit, and FCGX_GetError returns which error it was.
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

/* For old programs: the C++ library did not have it. */
typedef char char_type;

/** A stream buffer over a FCGX_Stream. It reads or it writes, as that does. */
class DLLAPI fcgi_streambuf : public std::streambuf {
public:
    /** Uses a buffer of `len` bytes at `buf`, which stays the caller's and lives as long. */
    fcgi_streambuf(FCGX_Stream *fcgx, char *buf, int len);

    /** Uses such a buffer; a stream is attached later. */
    fcgi_streambuf(std::streambuf::char_type *buf, std::streamsize len);

    /** Uses no buffer. */
    fcgi_streambuf(FCGX_Stream *fcgx = 0);

    /** Writes to the stream what is still in the buffer. */
    ~fcgi_streambuf(void);

    /**
     * Attaches another stream, or detaches with 0. What is in the buffer is lost: flush before, while
     * the old stream still exists.
     *
     * Returns: 0.
     */
    int attach(FCGX_Stream *fcgx);

protected:
    virtual int_type overflow(int_type c = traits_type::eof());
    virtual int sync();
    virtual int_type uflow();
    virtual int_type underflow();

    /**
     * Takes a buffer if the object has none yet.
     *
     * Returns: this; 0 if it has one.
     */
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

    /** Attaches another stream. The state stays: clear() it after an end or an error. */
    virtual void attach(FCGX_Stream *fcgx);

private:
    fcgi_streambuf fcgi_strmbuf;
};

/** An output stream with an fcgi_streambuf of its own, without a buffer. */
class DLLAPI fcgi_ostream : public std::ostream {
public:
    fcgi_ostream(FCGX_Stream *fcgx = 0);
    ~fcgi_ostream(void) {}

    /** Attaches another stream. The state stays: clear() it after an error. */
    virtual void attach(FCGX_Stream *fcgx);

private:
    fcgi_streambuf fcgi_strmbuf;
};

#endif /* FCGIO_H */
