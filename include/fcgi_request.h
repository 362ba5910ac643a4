/* Generated from src/capi/fcgi_request/mod.rs by `UPDATE_HEADERS=1 cargo test --test headers`. */
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

/**
 * The level of the functions in this header. It grows when functions are added.
 */
#define FCGX_API_LEVEL 2

/**
 * Flag for FCGX_RequestNew: a signal that was handled ends a wait with FCGX_INTERRUPTED, unless its
 * handler has SA_RESTART.
 */
#define FCGX_INTERRUPTIBLE 1

/**
 * Flag for FCGX_RequestNew: SIGINT, SIGTERM and SIGUSR1 request shutdown, from now on and in the
 * whole process, in place of the handlers that the program or its language has installed.
 */
#define FCGX_TAKE_SIGNALS 2

/**
 * For FCGX_RequestInfo: the role, 1 for a Responder, 2 for an Authorizer, 3 for a Filter.
 */
#define FCGX_INFO_ROLE 1

/**
 * For FCGX_RequestInfo: the request id of its records, 1 to 65535.
 */
#define FCGX_INFO_ID 2

/**
 * For FCGX_RequestInfo: 1 if the connection stays open after the request, 0 if not.
 */
#define FCGX_INFO_KEEP 3

/**
 * For FCGX_RequestInfo: the descriptor of the connection, to be polled. It must not be read, written
 * or closed.
 */
#define FCGX_INFO_DESCRIPTOR 4

/**
 * For FCGX_RequestInfo: how many bytes of a non-blocking request wait to be sent.
 */
#define FCGX_INFO_UNSENT 5

/**
 * For FCGX_RequestStream: the body.
 */
#define FCGX_STREAM_IN 0

/**
 * For FCGX_RequestStream: the response.
 */
#define FCGX_STREAM_OUT 1

/**
 * For FCGX_RequestStream: messages for the web server's log.
 */
#define FCGX_STREAM_ERR 2

/**
 * Result: shutdown was requested, by SIGTERM, SIGUSR1 or FCGX_ShutdownPending.
 */
#define FCGX_SHUT_DOWN -10001

/**
 * Result: FCGX_RequestCancel was called.
 */
#define FCGX_CANCELLED -10002

/**
 * Result: a signal was handled (FCGX_INTERRUPTIBLE).
 */
#define FCGX_INTERRUPTED -10003

/**
 * Result: the web server has aborted the request or closed the connection, or FCGX_RequestAbort was
 * called.
 */
#define FCGX_GONE -10004

/**
 * Result: the web server has broken the protocol.
 */
#define FCGX_BROKEN -10005

/**
 * Result: there is no request in progress.
 */
#define FCGX_NO_REQUEST -10006

/* ---- The library ---- */

/**
 * Returns the level of the functions that the library has: those of a level and of all below it. A
 * program that is built with a later header compares it with the level that it needs. libfcgi of
 * others has no function of this name.
 *
 * Returns: the library's FCGX_API_LEVEL.
 *
 * Threads and signals: async-signal-safe.
 */
extern int FCGX_ApiLevel(void);

/**
 * Returns the version of the library, for messages.
 *
 * Returns: its name and version, never NULL. It is static: it must not be freed, and stays valid.
 *
 * Threads and signals: async-signal-safe.
 */
extern const char *FCGX_Version(void);

/**
 * Explains a negative result of a function of this header.
 *
 * Parameters:
 * - result: the result.
 *
 * Returns: a sentence in English, never NULL. It is static: it must not be freed, and stays valid.
 *
 * Threads and signals: async-signal-safe.
 */
extern const char *FCGX_ErrorText(int result);

/* ---- Listen and wait ---- */

/**
 * Makes a listen socket, as FCGX_OpenSocket does, and returns the reason of a failure instead of
 * writing it to stderr. Works before the first FCGX_RequestNew.
 *
 * Parameters:
 * - address: the path of FCGX_OpenSocket: "path" of a unix socket, ":port", "host:port" or
 *   "[v6]:port".
 * - backlog: the number of connections that may wait to be accepted, as for listen(2).
 *
 * Returns: the descriptor, which executed programs inherit; the negated error on failure.
 *
 * Errors: EINVAL if address is NULL. Otherwise as FCGX_OpenSocket.
 *
 * Side effects: replaces a socket, an empty file or a symbolic link at the path, as FCGX_OpenSocket.
 */
extern int FCGX_Listen(const char *address,
                int backlog);

/**
 * Makes a request, which serves one web server's request after another. Initialises the library, as
 * FCGX_Init does.
 *
 * Parameters:
 * - socket: the listen socket: 0, or the result of FCGX_Listen. It stays the program's.
 * - flags: 0, FCGX_INTERRUPTIBLE, FCGX_TAKE_SIGNALS, or both.
 *
 * Returns: the request, to be freed by FCGX_RequestFree; NULL if out of memory, or for an unknown
 * flag.
 *
 * Side effects: those of FCGX_Init. With FCGX_TAKE_SIGNALS, SIGINT, SIGTERM and SIGUSR1 do what
 * FCGX_ShutdownPending does, in place of any handler; they run on a thread's alternate signal stack,
 * if it has one (SA_ONSTACK). OS_LibShutdown sets such a signal to its default action.
 */
extern struct FCGX_Request *FCGX_RequestNew(int socket,
                                     int flags);

/**
 * Waits for the next request. One that is still in progress is abandoned, as by FCGX_RequestFree: a
 * handler that was left by an exception has not written the whole response.
 *
 * It waits for new connections and for all kept ones of the listen socket, whether that is
 * non-blocking or not.
 *
 * Parameters:
 * - timeout: the longest wait in milliseconds; 0 does not wait, a negative number waits without
 *   limit. Where epoll cannot be had, it may take 20 ms longer.
 *
 * Returns: 1 if there is a request; 0 if none came in time; a negative result on failure.
 *
 * Errors: FCGX_SHUT_DOWN if shutdown was requested and every request was served that a web server
 * may have sent before. FCGX_CANCELLED once after FCGX_RequestCancel. FCGX_INTERRUPTED after a
 * signal, with FCGX_INTERRUPTIBLE. EBADF or ENOTSOCK if socket is not a listen socket. EINVAL if
 * request is NULL. Otherwise as accept4(2), negated.
 *
 * Side effects: as FCGX_Accept_r. The strings and streams of the request before are no longer valid.
 *
 * Specification: 3.2, 4, 5.1, 5.2, 5.5.
 */
extern int FCGX_RequestNext(struct FCGX_Request *request,
                     int timeout);

/**
 * Returns a descriptor to be polled for reading, for an event loop that has other work, too. It is
 * readable as long as FCGX_RequestNext(request, 0) would return anything but 0, with any request on
 * that socket: for a new connection, a kept one on which something has arrived, and a request to
 * shut down. After a 0 it is not readable before something new happens. It may be readable where a
 * call then returns 0.
 *
 * It is level-triggered, also as a member of another epoll instance. With edge-triggered polling,
 * call FCGX_RequestNext until it returns 0. A cancelled request does not make it readable.
 *
 * Parameters:
 * - socket: the listen socket: 0, or the result of FCGX_Listen.
 *
 * Returns: the descriptor; the negated error on failure.
 *
 * Errors: EBADF or ENOTSOCK if socket is not a listen socket, EINVAL if it does not listen. EMFILE or
 * ENFILE without free descriptors. ENOMEM if out of memory. ENOSYS without epoll.
 *
 * Side effects: initialises the library, as FCGX_Init does, and makes the listen socket
 * non-blocking. The descriptor stays the library's, which keeps it open; each call for a socket
 * returns the same one. After a fork the child calls this again, and so does a program that has
 * called OS_LibShutdown and initialises the library anew.
 *
 * Threads and signals: while one thread polls, others may wait in FCGX_RequestNext and
 * FCGX_Accept_r.
 */
extern int FCGX_PollDescriptor(int socket);

/**
 * Ends the request in progress: sends what is left of its output, and the exit status. Its
 * connection is closed, or serves the next request of any thread.
 *
 * Parameters:
 * - status: the exit status that the web server gets; 0 for success.
 *
 * Returns: 0, also without a request in progress; a negative result if the response was not sent
 * whole.
 *
 * Errors: FCGX_GONE if the web server has closed the connection. EINVAL if request is NULL. EAGAIN
 * in a non-blocking request if something is unsent: the request stays in progress, nothing more can
 * be written, and the call is to be repeated when the connection is writable (the first status
 * counts). Otherwise as send(2), negated.
 *
 * Side effects: the strings and streams of the request are no longer valid. Waits for a web server
 * that is still sending, as FCGX_Finish_r does.
 *
 * Threads and signals: for any thread. Signals do not end the wait.
 *
 * Specification: 3.5, 5.5.
 */
extern int FCGX_RequestEnd(struct FCGX_Request *request, int status);

/**
 * Frees a request. A request in progress is abandoned: its connection is closed without anything
 * being sent, and the web server sees that the response is not whole. A kept connection is served on.
 *
 * Parameters:
 * - request: from FCGX_RequestNew; NULL does nothing.
 *
 * Threads and signals: for any thread, such as that of a finaliser. It never waits. No other thread
 * may use the request at the same time or later.
 */
extern void FCGX_RequestFree(struct FCGX_Request *request);

/* ---- Facts and parameters ---- */

/**
 * Returns a fact about the request in progress.
 *
 * Parameters:
 * - what: FCGX_INFO_ROLE, FCGX_INFO_ID, FCGX_INFO_KEEP, FCGX_INFO_DESCRIPTOR or FCGX_INFO_UNSENT.
 *
 * Returns: the fact, 0 or more; FCGX_NO_REQUEST without a request in progress.
 *
 * Errors: EINVAL if request is NULL, or for another number.
 *
 * Specification: 3.3, 5.1.
 */
extern int FCGX_RequestInfo(const struct FCGX_Request *request, int what);

/**
 * Looks up a parameter by its name.
 *
 * Parameters:
 * - name: the whole name, without "=".
 * - length: where the number of bytes of the value is stored, 0 without one; NULL stores nothing.
 *
 * Returns: the value of the first parameter with this name, any bytes, and a NUL after them; NULL if
 * no parameter has it, without a request in progress, or if request or name is NULL. It is valid until the
 * request ends.
 *
 * Specification: 5.2.
 */
extern const char *FCGX_RequestParam(const struct FCGX_Request *request,
                              const char *name,
                              size_t *length);

/**
 * Returns a parameter by its index. The order and the strings are those of envp in fcgiapp.h.
 *
 * Parameters:
 * - index: from 0 on. The first parameter is FCGI_ROLE.
 * - name: where the number of bytes before the first "=" is stored, 0 behind the last; NULL stores
 *   nothing.
 * - length: where the number of bytes of the whole is stored, 0 behind the last; NULL stores nothing.
 *
 * Returns: "NAME=value", any bytes, and a NUL after them; NULL behind the last parameter, without a
 * request in progress, or if request is NULL. It is valid until the request ends.
 *
 * Specification: 5.2.
 */
extern const char *FCGX_RequestParamAt(const struct FCGX_Request *request,
                                size_t index,
                                size_t *name,
                                size_t *length);

/**
 * Tells whether the web server still wants the response. Never waits, and reads nothing of the body.
 *
 * A peer that has only shut down its sending side counts as gone. An abort is not seen behind a
 * body of which more than 4096 bytes are unread.
 *
 * Parameters:
 * - request: from FCGX_RequestNew, or one of fcgiapp.h that FCGX_Accept_r has accepted; NULL stands
 *   for that of FCGX_Accept and FCGI_Accept.
 *
 * Returns: 1 if the web server has aborted the request or closed the connection; 0 if that is not
 * known; FCGX_NO_REQUEST without a request in progress.
 *
 * Threads and signals: no other thread may read the body at the same time.
 *
 * Specification: 5.4.
 */
extern int FCGX_RequestGone(struct FCGX_Request *request);

/* ---- Read and write ---- */

/**
 * Reads from the body. Waits for the first byte only, as read(2) does.
 *
 * Parameters:
 * - buffer: where the bytes are stored; NULL only if size is 0.
 * - size: the number of bytes for which there is room.
 *
 * Returns: the number of bytes; 0 at the end of the body, or if size is 0; a negative result on
 * failure, also where part of the body was read before.
 *
 * Errors: EAGAIN in a non-blocking request if nothing has arrived. FCGX_GONE if the web server has aborted the request or closed the connection.
 * FCGX_BROKEN if it has broken the protocol. FCGX_NO_REQUEST without a request in progress. EINVAL
 * if request is NULL, or buffer is NULL and size is not 0. Otherwise as recv(2), negated.
 *
 * Threads and signals: another thread may write at the same time. Signals do not end the wait.
 *
 * Specification: 5.3.
 */
extern ptrdiff_t FCGX_RequestRead(struct FCGX_Request *request,
                           void *buffer,
                           size_t size);

/**
 * Writes to the response: all of it, buffered. What the buffer has no room for is sent.
 *
 * Parameters:
 * - data: the bytes; NULL only if size is 0.
 * - size: their number.
 *
 * Returns: size, or less in a non-blocking request; a negative result on failure, after which nothing
 * more can be written.
 *
 * Errors: EAGAIN in a non-blocking request without room, after which it may be called again.
 * FCGX_GONE if the web server has closed the connection. FCGX_NO_REQUEST without a request
 * in progress. EBADF if the stream was closed. EINVAL if request is NULL, or data is NULL and size
 * is not 0. Otherwise as send(2), negated. An error may show in a later call, because data is
 * buffered.
 *
 * Threads and signals: another thread may read, or write to the log, at the same time. Signals do
 * not end the wait.
 *
 * Specification: 5.3.
 */
extern ptrdiff_t FCGX_RequestWrite(struct FCGX_Request *request,
                            const void *data,
                            size_t size);

/**
 * Writes to the web server's log: all of it, buffered.
 *
 * Parameters:
 * - text: the bytes, with line feeds where lines end; NULL only if size is 0.
 * - size: their number.
 *
 * Returns: size, or less in a non-blocking request; a negative result on failure, after which nothing
 * more can be written.
 *
 * Errors: as FCGX_RequestWrite.
 *
 * Threads and signals: another thread may read, or write to the response, at the same time.
 * Signals do not end the wait.
 *
 * Specification: 5.3.
 */
extern ptrdiff_t FCGX_RequestLog(struct FCGX_Request *request,
                          const void *text,
                          size_t size);

/**
 * Sends what was written to the log and to the response.
 *
 * Returns: 0; a negative result on failure.
 *
 * Errors: EAGAIN in a non-blocking request while something is unsent: poll FCGX_INFO_DESCRIPTOR for
 * writing, and call again. Otherwise as FCGX_RequestWrite.
 *
 * Threads and signals: another thread may read at the same time. Signals do not end the wait.
 *
 * Specification: 5.3.
 */
extern int FCGX_RequestFlush(struct FCGX_Request *request);

/**
 * Makes requests non-blocking, or blocking again: the one in progress, and those that come later. A
 * non-blocking request never waits for the web server:
 *
 * - FCGX_RequestRead returns -EAGAIN where it would wait. Poll FCGX_INFO_DESCRIPTOR for reading.
 * - FCGX_RequestWrite and FCGX_RequestLog take only what LIBFCGI_OUTPUT_BUFFER has room for, and return
 *   -EAGAIN without room. Poll the descriptor for writing.
 * - FCGX_RequestFlush and FCGX_RequestEnd return -EAGAIN while something is unsent. Poll the descriptor
 *   for writing and call again.
 *
 * Reading functions of fcgiapp.h end early on such a request; writing ones may wait.
 *
 * Parameters:
 * - on: 1 for non-blocking, 0 for blocking.
 *
 * Returns: 0; a negative result on failure.
 *
 * Errors: EINVAL if request is NULL, or for another number.
 *
 * Specification: 5.3.
 */
extern int FCGX_RequestSetNonblocking(struct FCGX_Request *request,
                               int on);

/**
 * Returns a stream of the request, for the functions of fcgiapp.h: FCGX_GetLine, FCGX_FPrintF,
 * FCGX_StartFilterData and others.
 *
 * Parameters:
 * - which: FCGX_STREAM_IN, FCGX_STREAM_OUT or FCGX_STREAM_ERR.
 *
 * Returns: the stream, valid until the request ends; NULL without a request in progress, if request
 * is NULL, or for another number.
 */
extern struct FCGX_Stream *FCGX_RequestStream(struct FCGX_Request *request, int which);

/* ---- From other threads ---- */

/**
 * Cancels a wait: FCGX_RequestNext that waits with this request returns FCGX_CANCELLED, or the next
 * call of it does. It does so once. A request that it would have returned waits for the next call.
 *
 * Parameters:
 * - request: NULL does nothing.
 *
 * Side effects: while a thread waits in accept4, another descriptor stands at the listen socket's
 * number until it returns, as with FCGX_ShutdownPending.
 *
 * Threads and signals: async-signal-safe, for any thread, until FCGX_RequestFree is called.
 */
extern void FCGX_RequestCancel(struct FCGX_Request *request);

/**
 * Abandons the request in progress: each call that reads, writes, flushes or ends it returns
 * FCGX_GONE, one that waits in another thread immediately. (What the buffers have may still be read,
 * and what they have room for be written.) The web server sees that the response is not whole. Its
 * thread still ends or frees it.
 *
 * Parameters:
 * - request: from FCGX_RequestNew.
 *
 * Returns: 0; FCGX_NO_REQUEST without a request in progress, and in a forked child, which leaves its
 * parent's alone.
 *
 * Errors: EINVAL if request is NULL.
 *
 * Threads and signals: for any thread, until FCGX_RequestFree is called. Not for signal handlers.
 */
extern int FCGX_RequestAbort(struct FCGX_Request *request);

#ifdef __cplusplus
}
#endif

#endif /* FCGI_REQUEST_H */
