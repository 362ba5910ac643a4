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
