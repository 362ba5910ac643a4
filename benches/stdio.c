/*
 * A FastCGI program on fcgi_stdio.h: a CGI program that only includes another header.
 *
 * Usage: stdio SCENARIO SIZE THREADS WARM_UP COUNTED; see application.c. THREADS is not used.
 */
#include "measured.h"

#include <fcgi_stdio.h>

int main(int argc, char **argv)
{
    char line[256];
    long size;

    if (argc != 6)
        return 1;
    size = atol(argv[2]);
    warm_up = (unsigned)atol(argv[4]);
    counted = (unsigned)atol(argv[5]);
    while (FCGI_Accept() == 0) {
        if (strcmp(argv[1], "stdio_hello") == 0) {
            fputs(HEAD "hello\n", stdout);
        } else if (strcmp(argv[1], "stdio_printf") == 0) {
            int i;

            fputs(HEAD, stdout);
            for (i = 0; i < size; i++)
                printf("%d %s\n", i, WORD);
        } else {
            long lines = 0;

            while (fgets(line, sizeof line, stdin) != NULL)
                lines++;
            printf(HEAD "%ld\n", lines);
        }
        FCGI_Finish();
        one_request_done();
    }
    return 2;
}
