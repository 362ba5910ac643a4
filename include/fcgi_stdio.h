/* Generated from src/capi/fcgi_stdio/mod.rs by `UPDATE_HEADERS=1 cargo test --test headers`. */
/*
 * fcgi_stdio.h: the C library's stdio for FastCGI programs.
 *
 * With this header in place of stdio.h, a CGI program becomes a FastCGI program by a loop around its
 * work. Each round has the request in stdin, stdout, stderr and environ. Programs link with -lfcgi.
 * FCGI_Accept(3) and FCGI_stdio(3) are the manual pages.
 *
 *     #include <fcgi_stdio.h>
 *
 *     int main(void)
 *     {
 *         while (FCGI_Accept() >= 0)
 *             printf("Content-Type: text/plain\r\n\r\nHello\n");
 *         return 0;
 *     }
 *
 * Conventions. A function's comment says only what differs from them.
 *
 * Files and streams: a FCGI_FILE stands for a FILE of the C library or for a stream of the request.
 * For a file, a function does what its namesake without FCGI_ does, with the same results and
 * errno. For a stream, it does what the comment says.
 *
 * NULL: a FCGI_FILE pointer that is NULL counts as closed. A function does nothing with a closed one
 * and returns its value for a failure. Other pointers are not NULL unless the comment allows it.
 *
 * Ownership: a FCGI_FILE is the library's until it is closed. The three standard ones stay.
 *
 * Threads: FCGI_stdin, FCGI_stdout, FCGI_stderr, environ and the functions that serve requests are
 * for one thread of the process. Another FCGI_FILE is for one thread at a time. Programs that serve
 * requests in several threads use fcgiapp.h.
 *
 * Signals: no function is async-signal-safe. fcgiapp.h says what a signal does to a stream.
 *
 * Errors: a stream keeps its first error for FCGI_ferror. No function ends the process,
 * unless memory runs out in the first FCGI_Accept.
 *
 * Environment: the first FCGI_Accept reads the settings, see libfcgi(7). During a request environ
 * has the parameters of the request, and not what the program was started with.
 *
 * "Specification" names clauses of the FastCGI Specification 1.0.
 */
#ifndef _FCGI_STDIO
#define _FCGI_STDIO 1

#include <stdio.h>
#include <sys/types.h>

#include "fcgiapp.h"

#ifndef DLLAPI
#ifdef _WIN32
#define DLLAPI __declspec(dllimport)
#else
#define DLLAPI
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A stream of the request, or a FILE of the C library: one pointer is set. With neither set it is
 * closed.
 */
typedef struct FCGI_FILE {
    /**
     * The C library's FILE; see FCGI_ToFILE.
     */
    FILE *stdio_stream;
    /**
     * The request's stream; see FCGI_ToFcgiStream.
     */
    FCGX_Stream *fcgx_stream;
} FCGI_FILE;

/**
 * What FCGI_stdin, FCGI_stdout and FCGI_stderr point to. All three are closed until FCGI_Accept
 * has succeeded for the first time. Programs name them by those macros.
 */
extern struct FCGI_FILE _fcgi_sF[3];

/* ---- Serve requests ---- */

/**
 * Waits for the next request and makes it the program's standard input, output, error and
 * environment. Finishes the request before, if the program has not.
 *
 * A program whose descriptor 0 is not a listen socket was started as a CGI program. Its first call
 * leaves the environment alone, makes the C library's standard files the three streams and returns
 * 0. Every later call fails. So one loop, while (FCGI_Accept() >= 0), serves both.
 *
 * Returns: 0; -1 in a CGI program that has had its request; otherwise as FCGX_Accept.
 *
 * Errors: as FCGX_Accept.
 *
 * Side effects: sets FCGI_stdin, FCGI_stdout, FCGI_stderr and environ. The program may change the
 * environment in every way until the request is finished. From the first request on, exit() and
 * the return from main() finish the request in progress. After a failure in FastCGI the three
 * streams are closed, and environ is NULL if a request had replaced it.
 *
 * Specification: 2.2, 6.2.
 */
DLLAPI int FCGI_Accept(void);

/**
 * Moves FCGI_stdin from the end of the standard input to the file that a Filter works on, as
 * FCGX_StartFilterData does.
 *
 * Returns: 0; -1 in a CGI program and if FCGI_stdin is closed; otherwise as FCGX_StartFilterData.
 *
 * Specification: 6.4.
 */
DLLAPI int FCGI_StartFilterData(void);

/**
 * Sets the exit status that the web server receives when the request in progress is finished, as
 * exit() would in a CGI program. Does nothing without a request.
 *
 * Specification: 5.5.
 */
DLLAPI void FCGI_SetExitStatus(int status);

/**
 * Finishes the request in progress, as FCGX_Finish does. Does nothing without a request, and in a
 * CGI program.
 *
 * Side effects: closes FCGI_stdin, FCGI_stdout and FCGI_stderr, and sets environ to NULL: the
 * environment was the request's.
 *
 * Specification: 5.5.
 */
DLLAPI void FCGI_Finish(void);

/* ---- Read ---- */

/**
 * Reads nmemb members of size bytes each, or up to the end.
 *
 * Returns: the number of whole members read; less than nmemb at the end and on failure, which
 * FCGI_feof and FCGI_ferror tell apart. Bytes of a last, incomplete member are read but not
 * counted.
 *
 * Errors: EOVERFLOW if a stream is to move more bytes than a size_t can count.
 */
DLLAPI size_t FCGI_fread(void *ptr, size_t size, size_t nmemb, struct FCGI_FILE *fp);

/**
 * Reads a line into str: up to and including a newline, at most size - 1 bytes, and a NUL.
 *
 * Returns: str; NULL if the end comes before the first byte, and on failure.
 */
DLLAPI char *FCGI_fgets(char *str, int size, struct FCGI_FILE *fp);

/**
 * Reads the next line of FCGI_stdin into str, without its newline, and adds a NUL. It cannot know
 * how much room str has: use FCGI_fgets.
 *
 * Parameters:
 * - str: room for whatever the web server sends.
 *
 * Returns: str; NULL if the end comes before the first byte, and on failure.
 */
DLLAPI char *FCGI_gets(char *str);

/**
 * Reads one byte.
 *
 * Returns: the byte, 0 to 255; EOF at the end and on failure.
 */
DLLAPI int FCGI_fgetc(struct FCGI_FILE *fp);

/**
 * Reads one byte of FCGI_stdin.
 *
 * Returns: as FCGI_fgetc.
 */
DLLAPI int FCGI_getchar(void);

/**
 * Pushes one byte back: the next read returns it first. One byte always fits after a read; on a
 * stream of the request not once the end has been met.
 *
 * Returns: c; EOF on failure and for EOF.
 */
DLLAPI int FCGI_ungetc(int c, struct FCGI_FILE *fp);

/**
 * Tells whether reading has met the end.
 *
 * Returns: nonzero if so, and if fp is closed; 0 otherwise.
 */
DLLAPI int FCGI_feof(struct FCGI_FILE *fp);

/* ---- Write ---- */

/**
 * Writes nmemb members of size bytes each.
 *
 * Returns: the number of whole members written; less than nmemb on failure.
 *
 * Errors: EOVERFLOW if a stream is to move more bytes than a size_t can count.
 */
DLLAPI size_t FCGI_fwrite(void *ptr, size_t size, size_t nmemb, struct FCGI_FILE *fp);

/**
 * Writes a string, without its NUL.
 *
 * Returns: not negative (for a stream of the request the number of bytes); EOF on failure.
 */
DLLAPI int FCGI_fputs(const char *str, struct FCGI_FILE *fp);

/**
 * Writes a string and a newline to FCGI_stdout.
 *
 * Returns: not negative; EOF on failure.
 */
DLLAPI int FCGI_puts(const char *str);

/**
 * Writes one byte.
 *
 * Returns: the byte, 0 to 255; EOF on failure.
 */
DLLAPI int FCGI_fputc(int c, struct FCGI_FILE *fp);

/**
 * Writes one byte to FCGI_stdout.
 *
 * Returns: as FCGI_fputc.
 */
DLLAPI int FCGI_putchar(int c);

/**
 * Sends what was written: a stream's to the web server, as FCGX_FFlush does, a file's to the
 * system.
 *
 * Parameters:
 * - fp: NULL flushes every file of the C library, and no stream.
 *
 * Returns: 0; EOF on failure.
 */
DLLAPI int FCGI_fflush(struct FCGI_FILE *fp);

/* ---- Write formatted text ---- */

/**
 * Writes formatted text to FCGI_stdout.
 *
 * Returns: as FCGI_fprintf.
 */
extern int FCGI_printf(const char *format, ...);

/**
 * Writes formatted text, with every conversion of the C library's fprintf.
 *
 * Returns: the number of bytes written; negative if the stream is closed or for reading, on a
 * write error, and on what fprintf rejects. Text that fails half-way may be written in part.
 */
extern int FCGI_fprintf(struct FCGI_FILE *fp, const char *format, ...);

/**
 * Writes formatted text to FCGI_stdout, with its arguments in a va_list, whose value is
 * unspecified afterwards.
 *
 * Returns: as FCGI_fprintf.
 */
extern int FCGI_vprintf(const char *format, va_list ap);

/**
 * Writes formatted text as FCGI_fprintf does, with its arguments in a va_list, whose value is
 * unspecified afterwards.
 *
 * Returns: as FCGI_fprintf.
 */
extern int FCGI_vfprintf(struct FCGI_FILE *fp, const char *format, va_list ap);

/* ---- Find out about errors ---- */

/**
 * Tells whether an error has happened.
 *
 * Returns: 0 without an error; for a stream of the request as FCGX_GetError; -1 if fp is closed.
 */
DLLAPI int FCGI_ferror(struct FCGI_FILE *fp);

/**
 * Clears the error, and the end mark of a file. A stream of the request is cleared as
 * FCGX_ClearError does.
 */
DLLAPI void FCGI_clearerr(struct FCGI_FILE *fp);

/**
 * Writes a line to FCGI_stderr: str and ": ", unless str is NULL or empty, and the message for
 * errno.
 *
 * Side effects: errno stays as it is.
 */
DLLAPI void FCGI_perror(const char *str);

/* ---- Open and close files ---- */

/**
 * Opens a file.
 *
 * Returns: the open file, which FCGI_fclose closes; NULL on failure.
 */
DLLAPI struct FCGI_FILE *FCGI_fopen(const char *path, const char *mode);

/**
 * Makes a file of an open descriptor.
 *
 * Returns: the file, which FCGI_fclose closes together with the descriptor; NULL on failure.
 */
DLLAPI struct FCGI_FILE *FCGI_fdopen(int fd, const char *mode);

/**
 * Makes a file without a name.
 *
 * Returns: the file, open for reading and writing, which FCGI_fclose closes; NULL on failure.
 */
DLLAPI struct FCGI_FILE *FCGI_tmpfile(void);

/**
 * Runs a command with a pipe to or from it.
 *
 * Returns: the program's end of the pipe, which FCGI_pclose closes; NULL on failure.
 */
DLLAPI struct FCGI_FILE *FCGI_popen(const char *cmd, const char *type);

/**
 * Puts another file in the place of what fp stands for. A stream of the request is closed, as
 * FCGX_FClose does, and fp becomes a file.
 *
 * Parameters:
 * - path: NULL only for a file, where freopen allows it.
 *
 * Returns: fp; NULL on failure, and then fp can only be closed.
 */
DLLAPI struct FCGI_FILE *FCGI_freopen(const char *path, const char *mode, struct FCGI_FILE *fp);

/**
 * Closes. A stream of the request sends what it still holds and its end, as FCGX_FClose does.
 *
 * Parameters:
 * - fp: a standard stream, or one that a function of this library has opened.
 *
 * Returns: 0; EOF if it was closed already, and on a write error.
 *
 * Side effects: frees fp, except for the three standard streams, which stay, closed.
 */
DLLAPI int FCGI_fclose(struct FCGI_FILE *fp);

/**
 * Closes a pipe of FCGI_popen and waits for the command to end.
 *
 * Parameters:
 * - fp: the result of FCGI_popen.
 *
 * Returns: the command's status, as from waitpid; -1 on failure, and if fp is not a file.
 *
 * Side effects: frees fp.
 */
DLLAPI int FCGI_pclose(struct FCGI_FILE *fp);

/* ---- Buffers and descriptors of files ---- */

/**
 * Chooses how a file is buffered. Streams of the request keep their own buffers.
 *
 * Returns: 0; nonzero on failure, -1 for a stream.
 */
DLLAPI int FCGI_setvbuf(struct FCGI_FILE *fp, char *buf, int bufmode, size_t size);

/**
 * Sets the buffer of a file, of BUFSIZ bytes, or with NULL turns buffering off. Streams of the
 * request keep their own buffers.
 */
DLLAPI void FCGI_setbuf(struct FCGI_FILE *fp, char *buf);

/**
 * Returns the descriptor of a file. A stream of the request has none of its own: its records share
 * the connection with others.
 *
 * Returns: the descriptor; -1 if fp is not a file.
 */
DLLAPI int FCGI_fileno(struct FCGI_FILE *fp);

/* ---- Positions in files ---- */

/**
 * Moves the position of a file.
 *
 * Returns: 0; -1 on failure, and if fp is not a file.
 *
 * Errors: ESPIPE if fp is not a file.
 */
DLLAPI int FCGI_fseek(struct FCGI_FILE *fp, long offset, int whence);

/**
 * Returns the position of a file.
 *
 * Returns: the position; -1 on failure, and if fp is not a file.
 *
 * Errors: ESPIPE if fp is not a file. EOVERFLOW if an int cannot hold the position.
 */
DLLAPI int FCGI_ftell(struct FCGI_FILE *fp);

/**
 * Moves the position of a file to its beginning and clears its error mark.
 *
 * Errors: ESPIPE if fp is not a file.
 */
DLLAPI void FCGI_rewind(struct FCGI_FILE *fp);

#ifdef HAVE_FPOS
/**
 * Stores the position of a file for FCGI_fsetpos.
 *
 * Returns: 0; nonzero on failure, -1 if fp is not a file.
 *
 * Errors: ESPIPE if fp is not a file.
 */
DLLAPI int FCGI_fgetpos(FCGI_FILE *fp, fpos_t *pos);

/**
 * Moves a file to a position that FCGI_fgetpos has stored.
 *
 * Returns: 0; nonzero on failure, -1 if fp is not a file.
 *
 * Errors: ESPIPE if fp is not a file.
 */
DLLAPI int FCGI_fsetpos(FCGI_FILE *fp, const fpos_t *pos);
#endif

/*
 * The three standard streams.
 */
#define FCGI_stdin (&_fcgi_sF[0])
#define FCGI_stdout (&_fcgi_sF[1])
#define FCGI_stderr (&_fcgi_sF[2])

/*
 * What a FCGI_FILE stands for: one of the two is NULL.
 */
#define FCGI_ToFILE(fcgi_file) (fcgi_file->stdio_stream)
#define FCGI_ToFcgiStream(fcgi_file) (fcgi_file->fcgx_stream)

#ifdef __cplusplus
}
#endif

/*
 * The names of C's stdio.h mean the functions above, so that a CGI program becomes a FastCGI program
 * by including this header. A program that wants both kinds defines NO_FCGI_DEFINES before.
 */
#ifndef NO_FCGI_DEFINES

#undef FILE
#define FILE FCGI_FILE
#undef stdin
#define stdin FCGI_stdin
#undef stdout
#define stdout FCGI_stdout
#undef stderr
#define stderr FCGI_stderr
#undef clearerr
#define clearerr FCGI_clearerr
#undef fclose
#define fclose FCGI_fclose
#undef fdopen
#define fdopen FCGI_fdopen
#undef feof
#define feof FCGI_feof
#undef ferror
#define ferror FCGI_ferror
#undef fflush
#define fflush FCGI_fflush
#undef fgetc
#define fgetc FCGI_fgetc
#undef fgetpos
#define fgetpos FCGI_fgetpos
#undef fgets
#define fgets FCGI_fgets
#undef fileno
#define fileno FCGI_fileno
#undef fopen
#define fopen FCGI_fopen
#undef fprintf
#define fprintf FCGI_fprintf
#undef fputc
#define fputc FCGI_fputc
#undef fputs
#define fputs FCGI_fputs
#undef fread
#define fread FCGI_fread
#undef freopen
#define freopen FCGI_freopen
#undef fseek
#define fseek FCGI_fseek
#undef fsetpos
#define fsetpos FCGI_fsetpos
#undef ftell
#define ftell FCGI_ftell
#undef fwrite
#define fwrite FCGI_fwrite
#undef getc
#define getc FCGI_fgetc
#undef getchar
#define getchar FCGI_getchar
#undef gets
#define gets FCGI_gets
#undef pclose
#define pclose FCGI_pclose
#undef perror
#define perror FCGI_perror
#undef popen
#define popen FCGI_popen
#undef printf
#define printf FCGI_printf
#undef putc
#define putc FCGI_fputc
#undef putchar
#define putchar FCGI_putchar
#undef puts
#define puts FCGI_puts
#undef rewind
#define rewind FCGI_rewind
#undef setbuf
#define setbuf FCGI_setbuf
#undef setvbuf
#define setvbuf FCGI_setvbuf
#undef tmpfile
#define tmpfile FCGI_tmpfile
#undef ungetc
#define ungetc FCGI_ungetc
#undef vfprintf
#define vfprintf FCGI_vfprintf
#undef vprintf
#define vprintf FCGI_vprintf

#endif /* NO_FCGI_DEFINES */

#endif /* _FCGI_STDIO */
