/*
 * The printf family, in C: stable Rust cannot define variadic functions.
 *
 * The C library formats the text, straight into the stream's buffer if it fits. Memory is allocated only for
 * a text that is larger than the whole buffer.
 */
/* A fortified vsnprintf ends the process on %n: no build of the library may use it. */
#undef _FORTIFY_SOURCE
#define NO_FCGI_DEFINES
#include "fcgi_stdio.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Returns how many bytes fit into the stream's buffer now; 0 if the stream cannot be written to. */
static size_t free_room(const FCGX_Stream *stream)
{
    if (stream->isClosed || stream->isReader || stream->wrNext >= stream->stop)
        return 0;
    return (size_t)(stream->stop - stream->wrNext);
}

/* The room in which a text is composed. */
struct text {
    char *next;
    char *end;
};

/* Appends bytes. Returns 0 if they do not fit. */
static int add(struct text *text, const char *bytes, size_t length)
{
    if ((size_t)(text->end - text->next) < length)
        return 0;
    if (length > 0)
        memcpy(text->next, bytes, length);
    text->next += length;
    return 1;
}

/* Appends a number in decimal, with its sign. Returns 0 if it does not fit. */
static int add_number(struct text *text, unsigned long number, int is_negative)
{
    char digits[3 * sizeof number + 1];
    char *first = digits + sizeof digits;

    do {
        *--first = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    if (is_negative)
        *--first = '-';
    return add(text, first, (size_t)(digits + sizeof digits - first));
}

static int add_signed(struct text *text, long number)
{
    return add_number(text, number < 0 ? -(unsigned long)number : (unsigned long)number, number < 0);
}

/* Appends the result of a conversion without flags, width and precision. Returns 0 for any other. */
static int add_conversion(struct text *text, const char **format, va_list *arg)
{
    const char *string;
    char c;

    switch (*(*format)++) {
    case 's':
        string = va_arg(*arg, const char *);
        return string != NULL && add(text, string, strlen(string));
    case 'd':
    case 'i':
        return add_signed(text, va_arg(*arg, int));
    case 'u':
        return add_number(text, va_arg(*arg, unsigned), 0);
    case 'c':
        c = (char)va_arg(*arg, int);
        return add(text, &c, 1);
    case '%':
        return add(text, "%", 1);
    case 'l':
        switch (*(*format)++) {
        case 'd':
            return add_signed(text, va_arg(*arg, long));
        case 'u':
            return add_number(text, va_arg(*arg, unsigned long), 0);
        default:
            return 0;
        }
    default:
        return 0;
    }
}

/*
 * Formats what most formats consist of: plain %s, %d, %u, %ld, %lu, %c and %%. It takes a fraction of the C
 * library's time. Returns the length of the text; negative for any other format, for a text that does not
 * fit, and for NULL as a string: the C library handles these.
 */
static int print_plainly(char *room, size_t size, const char *format, va_list *arg)
{
    struct text text;
    const char *literal;

    text.next = room;
    text.end = room + (size > INT_MAX ? INT_MAX : size);
    for (;;) {
        for (literal = format; *format != '%' && *format != '\0';)
            format++;
        if (!add(&text, literal, (size_t)(format - literal)))
            return -1;
        if (*format == '\0')
            return (int)(text.next - room);
        format++;
        if (!add_conversion(&text, &format, arg))
            return -1;
    }
}

/*
 * Formats into the stream's buffer. Returns the length of the text, negative if it cannot be formatted. The
 * text is written only if it fits together with its NUL; otherwise the stream does not change.
 */
static int print_in_buffer(FCGX_Stream *stream, const char *format, va_list arg)
{
    size_t room = free_room(stream);
    va_list again;
    int length;

    va_copy(again, arg);
    length = print_plainly((char *)stream->wrNext, room > 0 ? room - 1 : 0, format, &again);
    va_end(again);
    if (length >= 0) {
        stream->wrNext += length;
        return length;
    }
    va_copy(again, arg);
    length = vsnprintf(room > 0 ? (char *)stream->wrNext : NULL, room, format, again);
    va_end(again);
    if (length > 0 && (size_t)length < room)
        stream->wrNext += length;
    return length;
}

/* Formats a text of known length into allocated memory, and writes it from there. */
static int print_through_heap(FCGX_Stream *stream, int length, const char *format, va_list arg)
{
    char *text = malloc((size_t)length + 1);
    int written = EOF;

    if (text == NULL)
        return EOF;
    if (vsnprintf(text, (size_t)length + 1, format, arg) == length)
        written = FCGX_PutStr(text, length, stream);
    free(text);
    return written;
}

int FCGX_VFPrintF(FCGX_Stream *stream, const char *format, va_list arg)
{
    int saved_errno = errno; /* for %m: every attempt prints the same text */
    size_t room;
    int length;

    if (stream == NULL)
        return EOF;
    room = free_room(stream);
    length = print_in_buffer(stream, format, arg);
    if (length <= 0 || (size_t)length < room)
        return length;
    if (stream->isClosed || stream->isReader || stream->emptyBuffProc == NULL)
        return EOF;

    stream->emptyBuffProc(stream, 0);
    errno = saved_errno;
    room = free_room(stream);
    if (room > 0)
        length = print_in_buffer(stream, format, arg);
    if (length <= 0 || (size_t)length < room)
        return length;
    errno = saved_errno;
    return stream->isClosed ? EOF : print_through_heap(stream, length, format, arg);
}

int FCGX_FPrintF(FCGX_Stream *stream, const char *format, ...)
{
    va_list arg;
    int written;

    va_start(arg, format);
    written = FCGX_VFPrintF(stream, format, arg);
    va_end(arg);
    return written;
}

int FCGI_vfprintf(FCGI_FILE *fp, const char *format, va_list ap)
{
    if (fp == NULL)
        return EOF;
    if (fp->stdio_stream != NULL)
        return vfprintf(fp->stdio_stream, format, ap);
    return FCGX_VFPrintF(fp->fcgx_stream, format, ap);
}

int FCGI_fprintf(FCGI_FILE *fp, const char *format, ...)
{
    va_list ap;
    int written;

    va_start(ap, format);
    written = FCGI_vfprintf(fp, format, ap);
    va_end(ap);
    return written;
}

int FCGI_vprintf(const char *format, va_list ap)
{
    return FCGI_vfprintf(&_fcgi_sF[1], format, ap);
}

int FCGI_printf(const char *format, ...)
{
    va_list ap;
    int written;

    va_start(ap, format);
    written = FCGI_vfprintf(&_fcgi_sF[1], format, ap);
    va_end(ap);
    return written;
}
