/* Generated from src/capi/fcgi_stdio/mod.rs by `UPDATE_HEADERS=1 cargo test --test headers`. */
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
 * closed, and every function on it fails; so is a NULL pointer to one.
 *
 * Thread safety of all functions here: one thread at a time for each of these. The three standard
 * ones, environ, and with them FCGI_Accept to FCGI_SetExitStatus, belong to one thread.
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

/**
 * Waits for the next request and makes it the program's standard input, output, error and
 * environment. A request that is not finished yet is finished first.
 *
 * A program whose descriptor 0 is no listen socket was started as a CGI program: the first call
 * gives it the C library's standard files and leaves its environment alone, every further call
 * fails. So one loop, while (FCGI_Accept() >= 0), serves both.
 *
 * Results: 0; negative on failure: -1 in a CGI program that has had its request, else as
 * FCGX_Accept.
 *
 * Side effects: sets FCGI_stdin, FCGI_stdout, FCGI_stderr and environ. The program may change the
 * environment in every way, until it finishes the request. From the first request on, exit() and
 * the return from main() finish the request in progress. After a failure in FastCGI the three
 * streams are closed, and environ is NULL if a request had replaced it.
 *
 * Thread safety: none; one thread at a time.
 */
DLLAPI int FCGI_Accept(void);

/**
 * Finishes the request in progress, as FCGX_Finish does. Without one, and in a CGI program, it
 * does nothing.
 *
 * Side effects: closes FCGI_stdin, FCGI_stdout and FCGI_stderr, and sets environ to NULL: the
 * environment was the request's.
 *
 * Thread safety: none; one thread at a time.
 */
DLLAPI void FCGI_Finish(void);

/**
 * Goes on from the standard input to the file that a Filter works on, as FCGX_StartFilterData
 * does. From here on FCGI_stdin reads the file.
 *
 * Results: 0; negative on failure: -1 in a CGI program and when FCGI_stdin is closed, else as
 * FCGX_StartFilterData.
 *
 * Thread safety: none; one thread at a time.
 */
DLLAPI int FCGI_StartFilterData(void);

/**
 * Sets the exit status that the request in progress gives to the web server when it is finished,
 * as exit() would in a CGI program. Without such a request it does nothing.
 *
 * Thread safety: none; one thread at a time.
 */
DLLAPI void FCGI_SetExitStatus(int status);

/**
 * Opens a file, as the C library's fopen does.
 *
 * Results: the open file, to be closed with FCGI_fclose; NULL on failure.
 * Errors: errno as fopen leaves it.
 */
DLLAPI struct FCGI_FILE *FCGI_fopen(const char *path, const char *mode);

/**
 * Makes a file of an open descriptor, as the C library's fdopen does.
 *
 * Results: the file, to be closed with FCGI_fclose, which closes the descriptor too; NULL on
 * failure.
 * Errors: errno as fdopen leaves it.
 */
DLLAPI struct FCGI_FILE *FCGI_fdopen(int fd, const char *mode);

/**
 * Runs a command with a pipe to or from it, as the C library's popen does.
 *
 * Results: our end of the pipe, to be closed with FCGI_pclose; NULL on failure.
 * Errors: errno as popen leaves it.
 */
DLLAPI struct FCGI_FILE *FCGI_popen(const char *cmd, const char *type);

/**
 * Makes a file without a name, as the C library's tmpfile does.
 *
 * Results: the file, open for reading and writing, to be closed with FCGI_fclose; NULL on failure.
 * Errors: errno as tmpfile leaves it.
 */
DLLAPI struct FCGI_FILE *FCGI_tmpfile(void);

/**
 * Puts another file in the place of what fp stands for. A stream of the request is closed, as
 * FCGX_FClose does, and fp becomes a file; a file goes through the C library's freopen.
 *
 * Results: fp; NULL on failure, and then fp can only be closed. A closed fp stays so: NULL.
 * Errors: errno as fopen or freopen leaves it.
 *
 * path may be NULL only where freopen allows it.
 */
DLLAPI struct FCGI_FILE *FCGI_freopen(const char *path, const char *mode, struct FCGI_FILE *fp);

/**
 * Closes. A stream of the request sends what it still holds and its end, as FCGX_FClose does; a
 * file goes through the C library's fclose.
 *
 * Results: 0; EOF when it was closed already, and on an error while writing.
 * Errors: errno as fclose leaves it.
 *
 * Side effects: frees fp, except for the three standard streams, which stay, closed.
 *
 * fp: a standard stream, or what a function of this library has opened.
 */
DLLAPI int FCGI_fclose(struct FCGI_FILE *fp);

/**
 * Closes a pipe that FCGI_popen opened and waits for the command to end, as the C library's pclose
 * does.
 *
 * Results: the command's status as waitpid gives it; -1 on failure, and for whatever is no file.
 * Errors: errno as pclose leaves it.
 *
 * Side effects: frees fp.
 *
 * fp: what FCGI_popen has opened.
 */
DLLAPI int FCGI_pclose(struct FCGI_FILE *fp);

/**
 * Hands on what was written and is still buffered: a stream's to the web server, as FCGX_FFlush
 * does, a file's to the system. NULL means every file of the C library, and no stream.
 *
 * Results: 0; EOF on failure, and when fp is closed.
 * Errors: errno as fflush leaves it, for a file.
 */
DLLAPI int FCGI_fflush(struct FCGI_FILE *fp);

/**
 * Chooses how a file is buffered, as the C library's setvbuf does. Streams of the request keep their
 * own buffers.
 *
 * Results: 0; nonzero on failure, for a stream -1.
 */
DLLAPI
int FCGI_setvbuf(struct FCGI_FILE *fp,
                 char *buf,
                 int bufmode,
                 size_t size);

/**
 * Gives a file a buffer of BUFSIZ bytes, or with NULL none, as the C library's setbuf does. Streams
 * of the request keep their own buffers.
 */
DLLAPI void FCGI_setbuf(struct FCGI_FILE *fp, char *buf);

/**
 * Moves a file's position, as the C library's fseek does.
 *
 * Results: 0; -1 on failure, and for whatever is no file.
 * Errors: errno as fseek leaves it; ESPIPE for whatever is no file.
 */
DLLAPI int FCGI_fseek(struct FCGI_FILE *fp, long offset, int whence);

/**
 * Tells a file's position, as the C library's ftell does.
 *
 * Results: the position; -1 on failure, and for whatever is no file.
 * Errors: errno as ftell leaves it; ESPIPE for whatever is no file; EOVERFLOW for a position that
 * an int cannot hold.
 */
DLLAPI int FCGI_ftell(struct FCGI_FILE *fp);

/**
 * Moves a file's position to its beginning and clears its error mark, as the C library's rewind
 * does.
 *
 * Errors: errno as rewind leaves it; ESPIPE for whatever is no file.
 */
DLLAPI void FCGI_rewind(struct FCGI_FILE *fp);

/**
 * Tells a file's descriptor, as the C library's fileno does. A stream of the request has none: its
 * records share the connection with others.
 *
 * Results: the descriptor; -1 for whatever is no file.
 */
DLLAPI int FCGI_fileno(struct FCGI_FILE *fp);

/**
 * Writes as the C library's fprintf does: every conversion that it knows works here too.
 *
 * Results: the number of bytes written; negative when the stream is closed or for reading, on a
 * write error, and on what fprintf rejects. A text that fails half-way may be written in part.
 *
 * Thread safety: one thread at a time per stream.
 */
extern int FCGI_fprintf(struct FCGI_FILE *fp, const char *format, ...);

/**
 * FCGI_fprintf to FCGI_stdout.
 */
extern int FCGI_printf(const char *format, ...);

/**
 * FCGI_fprintf with its arguments in a va_list, whose value is unspecified afterwards.
 */
extern int FCGI_vfprintf(struct FCGI_FILE *fp, const char *format, va_list ap);

/**
 * FCGI_vfprintf to FCGI_stdout.
 */
extern int FCGI_vprintf(const char *format, va_list ap);

/**
 * Reads one byte.
 *
 * Results: the byte, 0 to 255; EOF at the end, on failure, and when fp is closed.
 */
DLLAPI int FCGI_fgetc(struct FCGI_FILE *fp);

/**
 * FCGI_fgetc from FCGI_stdin.
 */
DLLAPI int FCGI_getchar(void);

/**
 * Puts one byte back, which is read next. One is always possible after a read; on a stream of the
 * request not once its end has been met.
 *
 * Results: c; EOF on failure, for EOF, and when fp is closed.
 */
DLLAPI int FCGI_ungetc(int c, struct FCGI_FILE *fp);

/**
 * Reads up to and with the next newline, at most size - 1 bytes, and puts a NUL behind them.
 *
 * Results: str; NULL when the end comes before the first byte, on failure, and when fp is
 * closed.
 *
 * str: room for size bytes.
 */
DLLAPI char *FCGI_fgets(char *str, int size, struct FCGI_FILE *fp);

/**
 * Reads the next line of FCGI_stdin without its newline and puts a NUL behind it. It cannot know
 * how much room there is: use FCGI_fgets.
 *
 * Results: str; NULL when the end comes before the first byte, and on failure.
 *
 * str: room for whatever the web server sends.
 */
DLLAPI char *FCGI_gets(char *str);

/**
 * Writes one byte.
 *
 * Results: the byte, 0 to 255; EOF on failure, and when fp is closed.
 */
DLLAPI int FCGI_fputc(int c, struct FCGI_FILE *fp);

/**
 * FCGI_fputc to FCGI_stdout.
 */
DLLAPI int FCGI_putchar(int c);

/**
 * Writes a string, without its NUL.
 *
 * Results: not negative (for a stream of the request the number of bytes); EOF on failure, and when
 * fp is closed.
 */
DLLAPI int FCGI_fputs(const char *str, struct FCGI_FILE *fp);

/**
 * Writes a string and a newline to FCGI_stdout.
 *
 * Results: not negative; EOF on failure, and when FCGI_stdout is closed.
 */
DLLAPI int FCGI_puts(const char *str);

/**
 * Reads nmemb members of size bytes each, or up to the end.
 *
 * Results: the number of whole members read; less than nmemb at the end and on failure, which
 * FCGI_feof and FCGI_ferror tell apart; 0 when fp is closed. Bytes of a last, incomplete member
 * are read but not counted.
 * Errors: EOVERFLOW when size times nmemb is no size_t.
 *
 * ptr: room for nmemb members.
 */
DLLAPI size_t FCGI_fread(void *ptr, size_t size, size_t nmemb, struct FCGI_FILE *fp);

/**
 * Writes nmemb members of size bytes each.
 *
 * Results: the number of whole members written; less than nmemb on failure; 0 when fp is closed.
 * Errors: EOVERFLOW when size times nmemb is no size_t.
 *
 * ptr: nmemb members.
 */
DLLAPI size_t FCGI_fwrite(void *ptr, size_t size, size_t nmemb, struct FCGI_FILE *fp);

/**
 * Tells whether the end of the input has been met.
 *
 * Results: nonzero if so, and when fp is closed; 0 otherwise.
 */
DLLAPI int FCGI_feof(struct FCGI_FILE *fp);

/**
 * Tells whether an error has happened.
 *
 * Results: 0 if none; for a stream of the request what FCGX_GetError says; -1 when fp is closed.
 */
DLLAPI int FCGI_ferror(struct FCGI_FILE *fp);

/**
 * Clears the error, and a file's end mark, as FCGX_ClearError or the C library's clearerr does.
 */
DLLAPI void FCGI_clearerr(struct FCGI_FILE *fp);

/**
 * Writes a line to FCGI_stderr: str and ": ", unless it is NULL or empty, and the message for
 * errno.
 *
 * Side effects: errno stays.
 */
DLLAPI void FCGI_perror(const char *str);

#ifdef HAVE_FPOS
/** fgetpos of C; a FastCGI stream has no position: -1 with errno ESPIPE. */
DLLAPI int FCGI_fgetpos(FCGI_FILE *fp, fpos_t *pos);

/** fsetpos of C; a FastCGI stream has no position: -1 with errno ESPIPE. */
DLLAPI int FCGI_fsetpos(FCGI_FILE *fp, const fpos_t *pos);
#endif

/*
 * The three standard streams.
 */
#define FCGI_stdin (&_fcgi_sF[0])
#define FCGI_stdout (&_fcgi_sF[1])
#define FCGI_stderr (&_fcgi_sF[2])

/*
 * What is behind an FCGI_FILE: one of the two is NULL.
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
