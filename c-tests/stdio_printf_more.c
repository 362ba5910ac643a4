/*
 * Conversions of the C library's printf that the original's own printf does not support or crashes
 * on.
 *
 * differs: `FCGX_FPrintF`, `FCGI_printf` and their family
 */
#define NO_FCGI_DEFINES
#include "fcgi_client.h"

#include <inttypes.h>
#include <stddef.h>
#include <wchar.h>

#include <fcgi_stdio.h>

static void finish(int fd)
{
    FCGI_Finish();
    print_reply(fd);
}

static int accepted(const char *title)
{
    int fd = request_here("");

    printf("\n%s\nFCGI_Accept: %d\n", title, FCGI_Accept());
    return fd;
}

int main(void)
{
    const char *volatile nothing = NULL;
    const char *volatile huge = "%99999999999d";
    int fd;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (dup2(listen_here(), 0) != 0)
        die("dup2");

    fd = accepted("lengths");
    printf("%d\n", FCGI_printf("%zu %hhd %jd %td %lld %hhx\n", (size_t)1, (signed char)-2, (intmax_t)3,
        (ptrdiff_t)4, 5LL, (unsigned char)0xfe));
    printf("%d\n", FCGI_printf("%" PRId64 " %" PRIu32 "\n", INT64_MIN, UINT32_MAX));
    finish(fd);

    fd = accepted("floats");
    printf("%d\n", FCGI_printf("%lf %a %F %A %Lg\n", 1.5, 1.0, 2.5, 0.5, 3.5L));
    printf("%d\n", FCGI_printf("%f %F %e\n", 1.0 / 0.0, 1.0 / 0.0, -1.0 / 0.0));
    printf("%d\n", FCGI_printf("%.400f\n", 0.1));
    finish(fd);

    fd = accepted("strings");
    printf("%d\n", FCGI_printf("%s|%.3s|%10s\n", nothing, "precise", nothing));
    printf("%d\n", FCGI_printf("%ls %lc\n", L"wide", (wint_t)L'w'));
    printf("%d\n", FCGI_printf("%2$s %1$s\n", "second", "first"));
    errno = ENOENT;
    printf("%d\n", FCGI_printf("%m\n"));
    finish(fd);

    fd = accepted("widths");
    printf("%d\n", FCGI_printf("%*d|%300d|%-300d|%.300d\n", 1000, 1, 2, 3, 4));
    printf("%d\n", FCGI_printf("%*s|\n", -20, "left"));
    finish(fd);

    fd = accepted("%m is the same in a text that does not fit at first");
    printf("%d\n", FCGI_printf("%*d\n", 8000, 1));
    errno = ENOENT;
    printf("%d\n", FCGI_printf("%600m\n"));
    errno = EPERM;
    printf("%d\n", FCGI_printf("%20000m\n"));
    finish(fd);

    fd = accepted("a width beyond an int");
    printf("%d\n", FCGI_printf(huge, 1));
    printf("%d\n", FCGI_printf("%s\n", "goes on"));
    finish(fd);
    return 0;
}
