/*
 * fcgiapp.h: requests and streams of FastCGI programs, in one thread or in many.
 *
 * A web server connects to a listen socket and sends a request: parameters and a body. The program
 * accepts the request, reads the body from the stream in and writes the response to the stream out.
 * Programs link with -lfcgi. libfcgi(7) describes the library, and each function has a manual page.
 *
 *     #include <fcgiapp.h>
 *
 *     int main(void)
 *     {
 *         FCGX_Request request;
 *
 *         FCGX_Init();
 *         FCGX_InitRequest(&request, 0, 0);
 *         while (FCGX_Accept_r(&request) == 0) {
 *             FCGX_PutS("Content-Type: text/plain\r\n\r\nHello\n", request.out);
 *             FCGX_Finish_r(&request);
 *         }
 *         FCGX_Free(&request, 1);
 *         return 0;
 *     }
 *
 * Conventions. A function's comment says only what differs from them.
 *
 * NULL: a function does nothing with a request or stream that is NULL, and returns its value for a
 * failure. FCGX_GetChar, FCGX_PutChar and FCGX_PutStr do not look, because programs call them for
 * every byte or piece. Other pointers are not NULL unless the comment allows it.
 *
 * Ownership: the memory of a FCGX_Request is the program's. It must not move between FCGX_Accept_r
 * and FCGX_Finish_r. The streams and parameters are the library's, and are gone when the request is
 * finished or freed. Data that a program passes stays its own: no function uses it after it has
 * returned.
 *
 * Threads: any thread may call any function at any time, with a request of its own. A request and a
 * stream are for one thread at a time, but the streams in, out and err of one request may be used
 * by a thread each: their records are sent whole, in the order of the calls. A thread that writes
 * waits for another one that is sending; a thread that reads does not. Accepting, finishing and
 * freeing a request are for one thread, while no other uses its streams.
 *
 * Signals: no function is async-signal-safe unless its comment says so. A handler may leave reading
 * and writing by siglongjmp while they wait for the web server. Reading goes on where it was. A
 * thread that has left writing counts as sending until it ends or sends again on the same request;
 * then writing fails with EPIPE, and the connection ends. Signals interrupt neither reading nor
 * writing. A lost connection does not raise SIGPIPE.
 *
 * Errors: a stream keeps its first error for FCGX_GetError. errno is the reason of a failure only
 * where a comment names errors. No function ends the process, unless memory runs out in FCGX_Init,
 * FCGX_OpenSocket or the first accept on a listen socket.
 *
 * Environment: FCGX_Init reads the settings, which begin with LIBFCGI_ and are listed in
 * libfcgi(7), and FCGI_WEB_SERVER_ADDRS. Later changes of the environment have no effect, except
 * after OS_LibShutdown.
 *
 * "Specification" names clauses of the FastCGI Specification 1.0.
 */
#ifndef _FCGIAPP_H
#define _FCGIAPP_H

#include <stdarg.h>

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
