/*
 * The printf family, with the conversions that the original supports too.
 */
#define NO_FCGI_DEFINES
#include "fcgi_client.h"

#include <fcgi_stdio.h>

#define STDIN (&_fcgi_sF[0])
#define STDOUT (&_fcgi_sF[1])
#define STDERR (&_fcgi_sF[2])

static int via_vprintf(const char *format, ...)
{
    va_list args;
    int written;

    va_start(args, format);
    written = FCGI_vprintf(format, args);
    va_end(args);
    return written;
}

static int via_vfprintf(FCGI_FILE *fp, const char *format, ...)
{
    va_list args;
    int written;

    va_start(args, format);
    written = FCGI_vfprintf(fp, format, args);
    va_end(args);
    return written;
}

static int accepted(const char *title)
{
    int fd = request_here("body");

    printf("\n%s\nFCGI_Accept: %d\n", title, FCGI_Accept());
    return fd;
}

static void finish(int fd)
{
    FCGI_Finish();
    print_reply(fd);
}

static void functions(void)
{
    int fd = accepted("functions");

    printf("printf: %d\n", FCGI_printf("%d ", 1));
    printf("fprintf: %d\n", FCGI_fprintf(STDOUT, "%s ", "two"));
    printf("vprintf: %d\n", via_vprintf("%c ", '3'));
    printf("vfprintf: %d\n", via_vfprintf(STDOUT, "%x\n", 4));
    printf("without a conversion: %d\n", FCGI_printf("plain\n"));
    printf("%%: %d\n", FCGI_printf("100%%\n"));
    printf("empty string: %d\n", FCGI_printf("%s", ""));
    printf("fprintf to stderr: %d\n", FCGI_fprintf(STDERR, "%s\n", "stderr"));
    printf("fprintf to stdin: %d\n", FCGI_fprintf(STDIN, "%s\n", "stdin"));
    finish(fd);
}

static void integers(void)
{
    int fd = accepted("integers");
    int counted = 0;

    FCGI_printf("%d %i %u %o %x %X %c|", -42, 43, 44u, 45u, 0xabu, 0xabu, 'z');
    FCGI_printf("%hd %ld %lu %lx|", (short)-5, -6L, 7UL, 0x8UL);
    FCGI_printf("%5d|%-5d|%05d|%+d|% d|%#x|%#o|%.3d|", 1, 2, 3, 4, 5, 0x6u, 7u, 8);
    FCGI_printf("%*d|%-*d|%.*d|", 4, 1, 4, 2, 4, 3);
    printf("%%n: %d\n", FCGI_printf("12345%n\n", &counted));
    printf("counted: %d\n", counted);
    finish(fd);
}

static void floats(void)
{
    int fd = accepted("floats");

    FCGI_printf("%f %e %E %g %G|", 1.5, 2.5, 3.5, 4.5, 1e-10);
    FCGI_printf("%.0f|%.2f|%8.3f|%-8.1f|%08.2f|%+.1f|%#.0f", 0.5, 3.14159, 2.71828, 1.25, -1.5, 6.0, 7.0);
    finish(fd);
}

static void strings(void)
{
    int fd = accepted("strings");

    FCGI_printf("%s|%10s|%-10s|%.3s|%10.2s|%.*s|%-3c|", "text", "right", "left", "precise", "both",
        2, "star", 'c');
    finish(fd);
}

/* Writes texts of sizes around the capacity of the stream's buffer. */
static void long_texts(void)
{
    static const size_t lengths[] = { 1, 100, 8000, 8150, 8183, 8184, 8185, 8192, 8193, 40000, 3 };
    char *text = malloc(40001);
    int fd = accepted("long texts");
    size_t i;

    if (text == NULL)
        die("malloc");
    for (i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        memset(text, 'a' + (int)i, lengths[i]);
        text[lengths[i]] = '\0';
        printf("%zu: %d\n", lengths[i], FCGI_printf("%d:%s\n", (int)i, text));
    }
    free(text);
    finish(fd);
}

static void after_close(void)
{
    int fd = accepted("after FCGX_FClose");

    printf("printf: %d\n", FCGI_printf("%d", 1));
    FCGX_FClose(FCGI_ToFcgiStream(STDOUT));
    printf("printf: %d\n", FCGI_printf("%d", 1));
    printf("of nothing: %d\n", FCGI_printf("%s", ""));
    FCGI_fclose(STDOUT);
    printf("printf after fclose: %d\n", FCGI_printf("%d", 1));
    finish(fd);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (dup2(listen_here(), 0) != 0)
        die("dup2");
    functions();
    integers();
    floats();
    strings();
    long_texts();
    after_close();
    return 0;
}
