/*
 * echo: responds with the request's environment and body.
 *
 * The simplest FastCGI program: include fcgi_stdio.h instead of stdio.h and put a loop around what a CGI
 * program would do; stdin, stdout and printf then belong to the request. Started by a web server as a
 * plain CGI program, the same binary serves one request and ends.
 *
 * Usage: echo        (the listen socket is descriptor 0)
 */

#include <stddef.h>

#include "fcgi_stdio.h"

/* FCGI_Accept points environ at the request's parameters. */
extern char **environ;

static void print_environment(void)
{
    for (char **entry = environ; *entry != NULL; entry++) {
        puts(*entry);
    }
}

/* Copies the body to the response. Returns its length. */
static size_t copy_body(void)
{
    char piece[4096];
    size_t total = 0;
    size_t length;

    while ((length = fread(piece, 1, sizeof piece, stdin)) > 0) {
        if (fwrite(piece, 1, length, stdout) != length) {
            break; /* The client has gone. */
        }
        total += length;
    }
    return total;
}

int main(void)
{
    /* 0: there is a request. Anything else, for example after SIGTERM, ends the program. */
    while (FCGI_Accept() == 0) {
        printf("Content-Type: text/plain\r\n\r\n");
        print_environment();
        printf("\n");

        size_t length = copy_body();
        if (ferror(stdin)) {
            /* stderr goes to the web server's error log. */
            fprintf(stderr, "echo: the body broke off after %lu bytes\n", (unsigned long)length);
        }
    }
    return 0;
}
