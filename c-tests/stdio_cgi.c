/*
 * A program whose descriptor 0 is not a listen socket is a CGI program. The first FCGI_Accept sets
 * the streams to the C library's standard files and keeps the environment. The second one fails.
 */
#define NO_FCGI_DEFINES
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fcgiapp.h>
#include <fcgi_stdio.h>

extern char **environ;

static const char body[] = "first line\nsecond line\n";

static void show_files(void)
{
    printf("stdin, stdout, stderr: %d %d %d\n", FCGI_ToFILE((&_fcgi_sF[0])) == stdin,
        FCGI_ToFILE((&_fcgi_sF[1])) == stdout, FCGI_ToFILE((&_fcgi_sF[2])) == stderr);
}

int main(void)
{
    char text[64];
    char **before = environ;
    int pair[2];

    setvbuf(stdout, NULL, _IOLBF, 0);
    setenv("QUERY_STRING", "a=b", 1);
    before = environ;
    if (pipe(pair) != 0 || write(pair[1], body, sizeof body - 1) < 0 || dup2(pair[0], 0) != 0)
        return 1;
    close(pair[1]);

    printf("IsCGI: %d\n", FCGX_IsCGI() != 0);
    printf("FCGI_Accept: %d\n", FCGI_Accept());
    show_files();
    printf("environ is the same: %d, QUERY_STRING: %s\n", environ == before, getenv("QUERY_STRING"));

    printf("fgets: %s", FCGI_fgets(text, sizeof text, &_fcgi_sF[0]));
    printf("gets: %s\n", FCGI_gets(text));
    printf("getchar: %d\n", FCGI_getchar());
    printf("feof: %d\n", FCGI_feof(&_fcgi_sF[0]) != 0);
    printf("puts: %d\n", FCGI_puts("by puts"));
    printf("printf: %d\n", FCGI_printf("by %s\n", "printf"));
    printf("fputs: %d\n", FCGI_fputs("by fputs\n", &_fcgi_sF[1]) >= 0);
    printf("putchar: %d\n", FCGI_putchar('\n'));
    printf("fileno: %d\n", FCGI_fileno(&_fcgi_sF[0]));
    printf("StartFilterData: %d\n", FCGI_StartFilterData());
    FCGI_SetExitStatus(4);

    FCGI_Finish();
    show_files();
    printf("puts: %d\n", FCGI_puts("after FCGI_Finish"));

    printf("FCGI_Accept: %d\n", FCGI_Accept());
    show_files();
    printf("environ is the same: %d\n", environ == before);
    printf("puts: %d\n", FCGI_puts("after the second FCGI_Accept"));
    printf("FCGI_Accept: %d\n", FCGI_Accept());

    printf("fclose: %d\n", FCGI_fclose(&_fcgi_sF[0]));
    printf("closed: %d\n", FCGI_ToFILE((&_fcgi_sF[0])) == NULL);
    printf("getchar: %d\n", FCGI_getchar());
    return 0;
}
