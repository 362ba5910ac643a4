/*
 * The FCGI_ functions on the streams of a FastCGI request.
 */
#define NO_FCGI_DEFINES
#include "fcgi_client.h"

#include <fcgi_config.h>
#include <fcgi_stdio.h>

#define STDIN (&_fcgi_sF[0])
#define STDOUT (&_fcgi_sF[1])
#define STDERR (&_fcgi_sF[2])

/* Connects, sends a request with `body` and accepts it. */
static int accepted(const char *title, const char *body)
{
    int fd = request_here(body);

    printf("\n%s\n", title);
    printf("FCGI_Accept: %d\n", FCGI_Accept());
    return fd;
}

static void writing(void)
{
    int fd = accepted("writing", "");
    char pairs[] = "abcdef";

    printf("streams, not files: %d\n", FCGI_ToFILE(STDOUT) == NULL && FCGI_ToFcgiStream(STDOUT) != NULL);
    printf("fputc: %d\n", FCGI_fputc('A', STDOUT));
    printf("fputc above a byte: %d\n", FCGI_fputc('B' + 256, STDOUT));
    printf("fputc 0xff: %d\n", FCGI_fputc(0xff, STDOUT));
    printf("putchar: %d\n", FCGI_putchar('C'));
    printf("fputs: %d\n", FCGI_fputs("fputs\n", STDOUT));
    printf("fputs of nothing: %d\n", FCGI_fputs("", STDOUT));
    printf("puts: %d\n", FCGI_puts("puts"));
    printf("fwrite: %zu\n", FCGI_fwrite(pairs, 1, 6, STDOUT));
    printf("fwrite of pairs: %zu\n", FCGI_fwrite(pairs, 2, 3, STDOUT));
    printf("fflush: %d\n", FCGI_fflush(STDOUT));
    print_arrived(fd);
    printf("fputs to stderr: %d\n", FCGI_fputs("to stderr\n", STDERR));
    printf("ferror: %d, feof: %d\n", FCGI_ferror(STDOUT), FCGI_feof(STDOUT));
    printf("fgetc of an output stream: %d\n", FCGI_fgetc(STDOUT));
    printf("ungetc to an output stream: %d\n", FCGI_ungetc('x', STDOUT));
    printf("feof: %d\n", FCGI_feof(STDOUT));
    FCGI_Finish();
    print_reply(fd);
}

static void reading(void)
{
    char text[64];
    int fd = accepted("reading", "ABline one\nline two\nthe rest, and the end");

    printf("fgetc: %c\n", FCGI_fgetc(STDIN));
    printf("getchar: %c\n", FCGI_getchar());
    printf("ungetc: %c\n", FCGI_ungetc('Z', STDIN));
    printf("ungetc of EOF: %d\n", FCGI_ungetc(EOF, STDIN));
    printf("fgetc: %c\n", FCGI_fgetc(STDIN));
    printf("fgets: %s", FCGI_fgets(text, sizeof text, STDIN));
    printf("fgets of 5: %s\n", FCGI_fgets(text, 5, STDIN));
    printf("gets: %s\n", FCGI_gets(text));
    memset(text, 0, sizeof text);
    printf("fread: %zu", FCGI_fread(text, 1, 4, STDIN));
    printf(" <%s>\n", text);
    memset(text, 0, sizeof text);
    printf("fread of threes: %zu", FCGI_fread(text, 3, 2, STDIN));
    printf(" <%s>\n", text);
    printf("feof: %d, ferror: %d\n", FCGI_feof(STDIN), FCGI_ferror(STDIN));
    memset(text, 0, sizeof text);
    printf("fread of four sevens: %zu", FCGI_fread(text, 7, 4, STDIN));
    printf(" <%s>\n", text);
    printf("feof: %d, ferror: %d\n", FCGI_feof(STDIN), FCGI_ferror(STDIN));
    printf("fgetc at the end: %d\n", FCGI_fgetc(STDIN));
    printf("getchar at the end: %d\n", FCGI_getchar());
    printf("fread at the end: %zu\n", FCGI_fread(text, 1, 4, STDIN));
    printf("fgets at the end: %d\n", FCGI_fgets(text, sizeof text, STDIN) != NULL);
    printf("gets at the end: %d\n", FCGI_gets(text) != NULL);
    FCGI_clearerr(STDIN);
    printf("feof after clearerr: %d\n", FCGI_feof(STDIN) != 0);
    printf("fputc to an input stream: %d\n", FCGI_fputc('x', STDIN));
    printf("fputs to an input stream: %d\n", FCGI_fputs("x", STDIN));
    FCGI_Finish();
    print_reply(fd);
}

static void last_line(void)
{
    char text[64];
    int fd = accepted("last line without newline", "one\nlast");

    printf("gets: %s\n", FCGI_gets(text));
    printf("gets: %s\n", FCGI_gets(text));
    printf("feof: %d\n", FCGI_feof(STDIN));
    printf("gets: %d\n", FCGI_gets(text) != NULL);
    FCGI_Finish();
    print_reply(fd);
}

/* Calls functions that work on files but not on FastCGI streams. */
static void file_only(void)
{
    int fd = accepted("positions and buffers", "body");
    static char buffer[BUFSIZ];
    fpos_t position;
    int result;

    memset(&position, 0, sizeof position);
    errno = 0;
    result = FCGI_fseek(STDIN, 0, SEEK_SET);
    printf("fseek: %d, %s\n", result, strerror(errno));
    errno = 0;
    result = FCGI_ftell(STDIN);
    printf("ftell: %d, %s\n", result, strerror(errno));
    errno = 0;
    result = FCGI_fgetpos(STDIN, &position);
    printf("fgetpos: %d, %s\n", result, strerror(errno));
    errno = 0;
    result = FCGI_fsetpos(STDIN, &position);
    printf("fsetpos: %d, %s\n", result, strerror(errno));
    errno = 0;
    result = FCGI_fileno(STDIN);
    printf("fileno: %d, %s\n", result, strerror(errno));
    FCGI_rewind(STDIN);
    errno = 0;
    result = FCGI_setvbuf(STDOUT, buffer, _IOFBF, sizeof buffer);
    printf("setvbuf: %d, %s\n", result, strerror(errno));
    FCGI_setbuf(STDOUT, NULL);
    errno = 0;
    result = FCGI_pclose(STDOUT);
    printf("pclose: %d, %s\n", result, strerror(errno));
    printf("still readable: %c\n", FCGI_fgetc(STDIN));
    printf("still writable: %d\n", FCGI_puts("out"));
    FCGI_Finish();
    print_reply(fd);
}

static void closing(void)
{
    int fd = accepted("closing", "body");

    FCGI_fputs("data", STDOUT);
    printf("fclose stdout: %d\n", FCGI_fclose(STDOUT));
    print_arrived(fd);
    printf("fcgx_stream set: %d\n", FCGI_ToFcgiStream(STDOUT) != NULL);
    printf("fputc: %d\n", FCGI_fputc('x', STDOUT));
    printf("fputs: %d\n", FCGI_fputs("x", STDOUT));
    printf("puts: %d\n", FCGI_puts("x"));
    printf("fflush: %d\n", FCGI_fflush(STDOUT));
    printf("ferror: %d, feof: %d\n", FCGI_ferror(STDOUT), FCGI_feof(STDOUT));
    printf("fclose again: %d\n", FCGI_fclose(STDOUT));
    printf("fclose stdin: %d\n", FCGI_fclose(STDIN));
    printf("fgetc: %d\n", FCGI_fgetc(STDIN));
    printf("ungetc: %d\n", FCGI_ungetc('x', STDIN));
    printf("feof: %d\n", FCGI_feof(STDIN));
    printf("fclose stderr: %d\n", FCGI_fclose(STDERR));
    FCGI_Finish();
    print_reply(fd);
}

static void reopening(void)
{
    int fd = accepted("freopen of a stream", "body");
    char line[64];
    FILE *file;
    FCGI_FILE *fp;

    FCGI_fputs("before", STDOUT);
    fp = FCGI_freopen("reopened", "w", STDOUT);
    printf("freopen gives the same: %d\n", fp == STDOUT);
    printf("a file: %d, a stream: %d\n", FCGI_ToFILE(STDOUT) != NULL, FCGI_ToFcgiStream(STDOUT) != NULL);
    printf("puts: %d\n", FCGI_puts("into the file") >= 0);
    printf("fflush: %d\n", FCGI_fflush(STDOUT));
    file = fopen("reopened", "r");
    printf("file: %s", file != NULL && fgets(line, sizeof line, file) != NULL ? line : "none\n");
    errno = 0;
    fp = FCGI_freopen("no/such/file", "r", STDIN);
    printf("freopen of nothing: %d, %s\n", fp != NULL, strerror(errno));
    printf("fgetc: %d\n", FCGI_fgetc(STDIN));
    FCGI_Finish();
    print_reply(fd);
    fclose(file);
}

static void no_filter(void)
{
    int fd = accepted("filter data in another role", "body");

    printf("StartFilterData: %d\n", FCGI_StartFilterData());
    printf("ferror: %d\n", FCGI_ferror(STDIN));
    FCGI_Finish();
    print_reply(fd);
}

static void filter(void)
{
    int fd = connect_here();
    char text[64];

    send_head(fd, 1, FCGI_FILTER, 0);
    send_text(fd, FCGI_STDIN, 1, "input");
    send_end(fd, FCGI_STDIN, 1);
    send_text(fd, FCGI_DATA, 1, "data");
    send_end(fd, FCGI_DATA, 1);
    send_no_more(fd);
    printf("\nfilter\nFCGI_Accept: %d\n", FCGI_Accept());
    printf("stdin: %s\n", FCGI_fgets(text, sizeof text, STDIN));
    printf("feof: %d\n", FCGI_feof(STDIN));
    printf("fgetc: %d\n", FCGI_fgetc(STDIN));
    printf("StartFilterData: %d\n", FCGI_StartFilterData());
    printf("feof: %d\n", FCGI_feof(STDIN));
    printf("data: %s\n", FCGI_fgets(text, sizeof text, STDIN));
    printf("fgetc: %d\n", FCGI_fgetc(STDIN));
    FCGI_Finish();
    print_reply(fd);
}

static void finished(void)
{
    int fd = accepted("after FCGI_Finish", "body");

    FCGI_Finish();
    printf("a file: %d, a stream: %d\n", FCGI_ToFILE(STDOUT) != NULL, FCGI_ToFcgiStream(STDOUT) != NULL);
    printf("puts: %d\n", FCGI_puts("x"));
    printf("getchar: %d\n", FCGI_getchar());
    FCGI_Finish();
    printf("finished twice\n");
    print_reply(fd);
}

/* Runs last, because the original sends the status with every later request too. */
static void status(void)
{
    int fd = accepted("exit status", "");

    FCGI_fclose(STDOUT);
    FCGI_SetExitStatus(7);
    FCGI_Finish();
    print_reply(fd);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (dup2(listen_here(), 0) != 0)
        die("dup2");
    writing();
    reading();
    last_line();
    file_only();
    closing();
    reopening();
    no_filter();
    filter();
    finished();
    status();
    return 0;
}
