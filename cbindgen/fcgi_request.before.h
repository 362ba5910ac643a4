/*
 * fcgi_request.h: FastCGI requests without structs, for bindings in other languages and for event
 * loops.
 *
 * A program links with -lfcgi. FCGX_RequestNew(3) is the manual page, libfcgi-bindings(7) has advice
 * for the authors of bindings. A program that echoes the body:
 *
 *     #include <fcgi_request.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         struct FCGX_Request *request = FCGX_RequestNew(0, FCGX_TAKE_SIGNALS);
 *         char bytes[4096];
 *         ptrdiff_t n;
 *         int got;
 *
 *         while ((got = FCGX_RequestNext(request, -1)) == 1) {
 *             FCGX_RequestWrite(request, "Content-Type: text/plain\r\n\r\n", 28);
 *             while ((n = FCGX_RequestRead(request, bytes, sizeof bytes)) > 0)
 *                 FCGX_RequestWrite(request, bytes, (size_t)n);
 *             FCGX_RequestEnd(request, n == 0 ? 0 : 1);
 *         }
 *         if (got != FCGX_SHUT_DOWN)
 *             fprintf(stderr, "%s\n", FCGX_ErrorText(got));
 *         FCGX_RequestFree(request);
 *         return 0;
 *     }
 *
 * Conventions. A function's comment says only what differs from them.
 *
 * Results: 0 or more is success. A failure is a negative number: one of the FCGX_ results below, which
 * are the same on every system, or a negated errno value. errno is unspecified.
 *
 * Ownership: a request belongs to the program, from FCGX_RequestNew to FCGX_RequestFree. Strings and
 * streams belong to the request: they end with FCGX_RequestEnd, the next FCGX_RequestNext, and
 * FCGX_RequestFree. Nothing that a caller passes is kept after the call.
 *
 * Threads: different requests are for any threads at the same time. One request is for one thread at
 * a time, any thread, except where a comment says otherwise. Functions without a request are for any
 * thread.
 *
 * Waiting: FCGX_RequestNext with a timeout other than 0, FCGX_RequestRead, FCGX_RequestWrite,
 * FCGX_RequestLog, FCGX_RequestFlush and FCGX_RequestEnd may wait. All others return immediately.
 *
 * Signals: only FCGX_RequestCancel, FCGX_ApiLevel, FCGX_Version and FCGX_ErrorText are
 * async-signal-safe.
 *
 * Fork: a child has listeners of its own, and closes its copies of what waits in the parent. A child
 * that frees an inherited request closes its copy only.
 *
 * fcgiapp.h: its functions work on these requests and on their streams, except FCGX_InitRequest. Both
 * headers may be used on one listen socket at the same time.
 *
 * "Specification" names clauses of the FastCGI Specification 1.0.
 */
#ifndef FCGI_REQUEST_H
#define FCGI_REQUEST_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A request, in the library's memory. */
struct FCGX_Request;

/** A stream of a request, for the functions of fcgiapp.h. */
struct FCGX_Stream;
