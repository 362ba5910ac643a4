/* Generated from src/capi/fcgiapp/mod.rs by `UPDATE_HEADERS=1 cargo test --test headers`. */
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

/**
 * Stream error: the web server uses another version of the protocol.
 */
#define FCGX_UNSUPPORTED_VERSION -2

/**
 * Stream error: the web server violated the protocol, aborted the request or closed the connection.
 */
#define FCGX_PROTOCOL_ERROR -3

/**
 * Unused by this library.
 */
#define FCGX_PARAMS_ERROR -4

/**
 * Stream error: FCGX_StartFilterData was called at the wrong time.
 */
#define FCGX_CALL_SEQ_ERROR -5

/**
 * Flag for FCGX_InitRequest: FCGX_Accept_r returns -EINTR after a signal whose handler has no
 * SA_RESTART, instead of continuing to wait.
 */
#define FCGI_FAIL_ACCEPT_ON_INTR 1

/**
 * A stream of bytes, to read or to write.
 *
 * Programs may access the fields directly: read the bytes between `rdNext` and `stop`, or write
 * between `wrNext` and `stop`, and advance the pointer. A program may also make a stream of its own,
 * with its own procedures; every function here works on it.
 */
typedef struct FCGX_Stream {
    /**
     * Reader: the next byte to read. Writer: equal to stop.
     */
    unsigned char *rdNext;
    /**
     * Writer: the next byte to write. Reader: equal to stop.
     */
    unsigned char *wrNext;
    /**
     * Reader: the end of the bytes in the buffer. Writer: the end of the room in the buffer.
     */
    unsigned char *stop;
    /**
     * Reader: the lowest position to which FCGX_UnGetChar may move rdNext.
     */
    unsigned char *stopUnget;
    /**
     * Nonzero for a reader.
     */
    int isReader;
    /**
     * Nonzero after the end of the stream, an error, or FCGX_FClose.
     */
    int isClosed;
    /**
     * Nonzero after FCGX_FClose.
     */
    int wasFCloseCalled;
    /**
     * The first error: an errno value or one of the negative FCGX_ errors; 0 without an error.
     */
    int FCGI_errno;
    /**
     * Reader: called when all bytes are read. Provides more between rdNext and stop, or sets
     * isClosed.
     */
    void (*fillBuffProc)(struct FCGX_Stream *stream);
    /**
     * Writer: called when the buffer is full, to flush, and with nonzero doClose to end the stream.
     * Makes room between wrNext and stop, or sets isClosed.
     */
    void (*emptyBuffProc)(struct FCGX_Stream *stream, int doClose);
    /**
     * For the procedures of a stream that the program has made. In the library's streams it is the
     * library's: a program must not change or free it.
     */
    void *data;
} FCGX_Stream;

/**
 * A request, or the memory for the next one. The program provides it and calls FCGX_InitRequest on it
 * once. It must not move between FCGX_Accept_r and FCGX_Finish_r.
 */
typedef struct FCGX_Request {
    /**
     * The request id of its records.
     */
    int requestId;
    /**
     * FCGI_RESPONDER, FCGI_AUTHORIZER or FCGI_FILTER.
     */
    int role;
    /**
     * The request's body.
     */
    struct FCGX_Stream *in;
    /**
     * The response.
     */
    struct FCGX_Stream *out;
    /**
     * Messages for the web server's log.
     */
    struct FCGX_Stream *err;
    /**
     * The parameters: pointers to "NAME=value" strings, then NULL. The first is FCGI_ROLE. The
     * program may change the strings, which are valid until FCGX_Finish_r.
     */
    char **envp;
    /**
     * For the library only: a program must not read, change or free it.
     */
    struct Params *paramsPtr;
    /**
     * The connection's descriptor; -1 for none. A connection that is kept between requests waits in
     * the library, where another thread may accept its next request; programs may poll it.
     */
    int ipcFd;
    /**
     * Nonzero while a request is in progress. For the library only once that is finished.
     */
    int isBeginProcessed;
    /**
     * Nonzero if the connection stays open after the request. A program may set it to 0 to close it.
     */
    int keepConnection;
    /**
     * The exit status to report; see FCGX_SetExitStatus.
     */
    int appStatus;
    /**
     * The number of output streams that are still open. For the library only once the request is
     * finished.
     */
    int nWriters;
    /**
     * The flags of FCGX_InitRequest.
     */
    int flags;
    /**
     * The listen socket of FCGX_InitRequest.
     */
    int listen_sock;
    /**
     * Nonzero after FCGX_Detach.
     */
    int detached;
} FCGX_Request;

/**
 * The environment of a request: pointers to "NAME=value" strings, then NULL.
 */
typedef char **FCGX_ParamArray;

/* ---- Initialise ---- */

/**
 * Initialises the library: reads the settings from the environment and installs signal handlers. A
 * program calls it before FCGX_Accept_r. FCGX_Accept and FCGX_IsCGI call it themselves.
 *
 * Returns: 0.
 *
 * Side effects: SIGTERM and SIGUSR1 get a handler that does what FCGX_ShutdownPending does, and
 * SIGPIPE gets one that does nothing. Each is installed only where the program has left the
 * default or ignores the signal. The handlers run on a thread's alternate signal stack, if it has
 * one (SA_ONSTACK). A second call does nothing. After OS_LibShutdown a call does all of this again
 * and forgets an earlier request to shut down.
 */
DLLAPI int FCGX_Init(void);

/**
 * Tells whether the process was started as a CGI program: whether descriptor 0 is anything but a
 * listen socket.
 *
 * Returns: 1 for CGI, 0 for FastCGI.
 *
 * Side effects: initialises the library as FCGX_Init does. Looks at descriptor 0 in each call
 * until it finds a listen socket there; from then on the result is 0.
 *
 * Specification: 2.2.
 */
DLLAPI int FCGX_IsCGI(void);

/* ---- Make a listen socket ---- */

/**
 * Makes a listen socket at the lowest free descriptor. Works before FCGX_Init.
 *
 * Parameters:
 * - path: "path" of a unix socket (at most 107 bytes), ":port" or "*:port" for every IPv4
 *   interface, "host:port", or "[v6]:port" (port 0: any free port). A name without a number
 *   greater than 0 after its first colon is a path. "" makes a socket with an abstract name that
 *   the system chooses.
 * - backlog: the number of connections that may wait to be accepted, as for listen(2).
 *
 * Returns: the descriptor, which executed programs inherit; -1 on failure.
 *
 * Errors: EINVAL if path is NULL or the port is above 65535. ENAMETOOLONG if path is too long.
 * EEXIST if anything but a socket, an empty file or a symbolic link is at the path. EADDRNOTAVAIL
 * if the host is unknown or the address is not this machine's. Otherwise as socket(2), bind(2) and
 * listen(2) set errno.
 *
 * Side effects: replaces a socket, an empty file or a symbolic link at the path, whether in use or
 * not. Threads and kept connections of an earlier listen socket at the same descriptor continue with
 * the new one. Writes the reason of a failure to stderr, except for NULL.
 */
DLLAPI
int FCGX_OpenSocket(const char *path,
                    int backlog);

/* ---- Accept a request ---- */

/**
 * Prepares a request for FCGX_Accept_r. Works before FCGX_Init.
 *
 * Parameters:
 * - request: memory of the program, with any contents. It must not hold an accepted request, which
 *   would be lost with its connection open. It may hold a finished one, whose kept connection is
 *   still served.
 * - sock: the listen socket: 0, or the result of FCGX_OpenSocket.
 * - flags: 0 or FCGI_FAIL_ACCEPT_ON_INTR.
 *
 * Returns: 0; -1 if request is NULL.
 */
DLLAPI int FCGX_InitRequest(struct FCGX_Request *request, int sock, int flags);

/**
 * Waits for the next request. Finishes the request that the struct still holds first.
 *
 * A thread waits for new connections and for all kept ones of the same listen socket together, so
 * the next request may come on the connection of the last one or on another. A connection that the
 * program itself has put into ipcFd is read first if keepConnection is set, and closed if not. If
 * the request has no listen socket, or the program has made that non-blocking, a kept connection
 * stays with the struct and is waited for alone.
 *
 * Returns: 0; the negated error on failure, or -9998 before FCGX_Init. After a failure the struct
 * holds no request.
 *
 * Errors: EINTR if shutdown was requested (SIGTERM, SIGUSR1, FCGX_ShutdownPending); with
 * FCGI_FAIL_ACCEPT_ON_INTR also after a signal whose handler has no SA_RESTART. EAGAIN if the
 * program has made its listen socket non-blocking and no request is ready, or if the time limit
 * that it has set there (SO_RCVTIMEO) is over. EBADF or ENOTSOCK if sock is not a listen socket.
 * EPERM or ENOSYS if a sandbox refuses the system calls. EINVAL if request is NULL. Otherwise as
 * accept4(2). The result has the error; errno is unspecified.
 *
 * Side effects: sets in, out, err and envp, which are valid until the request is finished. Answers
 * or refuses records that belong to no request. Closes a connection that is silent or slow for too
 * long, or for which memory is short (libfcgi(7)), and one of a web server that
 * FCGI_WEB_SERVER_ADDRS does not list. From the second thread or the first idle connection on,
 * makes the listen socket non-blocking and sets O_APPEND as well. A program that wants it
 * non-blocking itself does that before the first call, or sets no other flag.
 *
 * Threads and signals: a signal handler may leave it by siglongjmp while it waits, and it may be
 * called again. No lock is held, and connections that wait together are served by later calls. A
 * connection that is waited for alone stays open and is not served: that of a request without a
 * listen socket, a new one whose head is arriving, and any during shutdown.
 *
 * Specification: 3.2, 4, 5.1, 5.2, 5.5.
 */
DLLAPI int FCGX_Accept_r(struct FCGX_Request *request);

/**
 * Waits for the next request on descriptor 0, as FCGX_Accept_r does, for programs with one
 * request. Initialises the library if needed.
 *
 * Parameters:
 * - in, out, err, envp: where the streams and the parameters of the request are stored. NULL
 *   stores nothing.
 *
 * Returns: as FCGX_Accept_r. On failure it stores NULL in all four places.
 *
 * Errors: as FCGX_Accept_r.
 *
 * Side effects: as FCGX_Accept_r.
 *
 * Threads and signals: for one thread at a time.
 */
DLLAPI
int FCGX_Accept(struct FCGX_Stream **in,
                struct FCGX_Stream **out,
                struct FCGX_Stream **err,
                FCGX_ParamArray *envp);

/* ---- Look up parameters ---- */

/**
 * Looks up a parameter.
 *
 * Parameters:
 * - name: the whole name, without "=".
 * - envp: an array of "NAME=value" strings that ends with NULL, such as that of a FCGX_Request.
 *
 * Returns: the value, inside the first string with this name; NULL if no string has it, or if name
 * or envp is NULL.
 *
 * Specification: 5.2.
 */
DLLAPI char *FCGX_GetParam(const char *name, FCGX_ParamArray envp);

/* ---- Read the body ---- */

/**
 * Reads n bytes into str, without a NUL at the end. Waits until they have arrived.
 *
 * Returns: the number of bytes read; less than n only at the end of the stream and on failure; 0
 * if n is not positive.
 *
 * Specification: 5.3.
 */
DLLAPI int FCGX_GetStr(char *str, int n, struct FCGX_Stream *stream);

/**
 * Reads a line into str: up to and including a line feed, at most n - 1 bytes, and a NUL.
 *
 * Returns: str; NULL at the end of the stream if nothing was read (str is not changed then), and
 * if n is not positive.
 */
DLLAPI char *FCGX_GetLine(char *str, int n, struct FCGX_Stream *stream);

/**
 * Reads one byte.
 *
 * Parameters:
 * - stream: not NULL.
 *
 * Returns: the byte, 0 to 255; -1 at the end of the stream and on failure.
 */
DLLAPI int FCGX_GetChar(struct FCGX_Stream *stream);

/**
 * Pushes a byte back: the next read returns it first. At least one byte fits before the first read
 * and after each read, unless the end has been met.
 *
 * Returns: c; -1 if c is -1, if no room is left, if the stream has ended, or if it is for writing.
 */
DLLAPI int FCGX_UnGetChar(int c, struct FCGX_Stream *stream);

/**
 * Tells whether reading has met the end of the stream. Does not look ahead: after 0 the next read
 * may still find the end.
 *
 * Returns: -1 after the end, an error or FCGX_FClose; else 0.
 */
DLLAPI int FCGX_HasSeenEOF(struct FCGX_Stream *stream);

/**
 * Moves a Filter's stream from the end of the standard input to the file that it works on.
 *
 * Parameters:
 * - stream: the in stream of a request in the role FCGI_FILTER that has been read to its end.
 *
 * Returns: 0; -1 in any other state.
 *
 * Side effects: a failure sets the stream's error to FCGX_CALL_SEQ_ERROR and ends the stream.
 *
 * Specification: 6.4.
 */
DLLAPI int FCGX_StartFilterData(struct FCGX_Stream *stream);

/* ---- Write the response ---- */

/**
 * Writes n bytes.
 *
 * Parameters:
 * - str: may be NULL if n is 0.
 * - stream: not NULL.
 *
 * Returns: n; -1 on failure, also if n is negative: it is unspecified then how many bytes were
 * sent.
 *
 * Errors: the stream keeps the error, for example EPIPE or ECONNRESET if the web server has closed
 * the connection.
 *
 * Side effects: sends what was written when the buffer is full (about 8 KB at first), on
 * FCGX_FFlush, and at the end of the stream. Many bytes at once are sent from the caller's memory,
 * without a copy.
 *
 * Specification: 5.3.
 */
DLLAPI int FCGX_PutStr(const char *str, int n, struct FCGX_Stream *stream);

/**
 * Writes a string, without its NUL.
 *
 * Returns: the number of bytes (INT_MAX if there are more); -1 on failure.
 *
 * Side effects: as FCGX_PutStr.
 */
DLLAPI int FCGX_PutS(const char *str, struct FCGX_Stream *stream);

/**
 * Writes one byte.
 *
 * Parameters:
 * - stream: not NULL.
 *
 * Returns: the byte, 0 to 255; -1 on failure.
 *
 * Side effects: as FCGX_PutStr.
 */
DLLAPI int FCGX_PutChar(int c, struct FCGX_Stream *stream);

/**
 * Sends what was written. Sends nothing if the buffer is empty. Does nothing on a reader, and on a
 * stream that has ended, also by an error.
 *
 * Returns: 0; -1 if this flush failed.
 */
DLLAPI int FCGX_FFlush(struct FCGX_Stream *stream);

/* ---- Write formatted text ---- */

/**
 * Writes formatted text, with every conversion of the C library's fprintf.
 *
 * Returns: the number of bytes written; negative if the stream has ended or is for reading, on
 * a write error, and on what fprintf rejects.
 *
 * Side effects: as FCGX_PutStr. Text that fits into the stream's buffer is made there, without
 * other memory.
 */
extern int FCGX_FPrintF(struct FCGX_Stream *stream, const char *format, ...);

/**
 * Writes formatted text as FCGX_FPrintF does, with its arguments in a va_list, whose value is
 * unspecified afterwards.
 *
 * Returns: as FCGX_FPrintF.
 *
 * Side effects: as FCGX_FPrintF.
 */
extern int FCGX_VFPrintF(struct FCGX_Stream *stream, const char *format, va_list arg);

/* ---- Find out about errors ---- */

/**
 * Returns the first error of a stream.
 *
 * Returns: 0 without an error and for NULL; positive: errno of the failed system call; negative:
 * FCGX_PROTOCOL_ERROR, FCGX_UNSUPPORTED_VERSION or FCGX_CALL_SEQ_ERROR.
 */
DLLAPI int FCGX_GetError(struct FCGX_Stream *stream);

/**
 * Clears the error of a stream. A stream that has ended stays at its end.
 */
DLLAPI void FCGX_ClearError(struct FCGX_Stream *stream);

/* ---- End a request ---- */

/**
 * Sets the exit status that FCGI_END_REQUEST reports (appStatus). It is 0 when a request begins.
 *
 * Parameters:
 * - stream: any stream of the request, before it is finished. Other streams: the call does
 *   nothing.
 *
 * Side effects: sets appStatus of the request.
 *
 * Specification: 5.5.
 */
DLLAPI void FCGX_SetExitStatus(int status, struct FCGX_Stream *stream);

/**
 * Ends a stream. On a writer it sends what was written and the end of the stream; after both out
 * and err it also sends FCGI_END_REQUEST, so that the web server has the whole response. On a
 * reader nothing more can be read. FCGX_Finish_r does all of this itself.
 *
 * Returns: 0, also for NULL; -1 if the stream has an error that was not cleared.
 *
 * Errors: the stream's error, if that is positive.
 *
 * Side effects: the struct stays; FCGX_FreeStream frees that of FCGX_CreateWriter.
 *
 * Specification: 5.3, 5.5.
 */
DLLAPI int FCGX_FClose(struct FCGX_Stream *stream);

/**
 * Finishes a request: sends what its streams still hold, their ends, and FCGI_END_REQUEST with the
 * exit status. Does nothing if the struct holds no request in progress. Does not report errors:
 * call FCGX_FClose first to see them.
 *
 * Side effects: sets in, out, err and envp to NULL. The struct may be used again, initialised anew
 * or freed. Closes the connection, or keeps it if all of these hold: the web server wants that
 * (FCGI_KEEP_CONN), keepConnection is still set, no error happened, and shutdown was not
 * requested. A kept connection waits for its next request in the library, and any thread in
 * FCGX_Accept_r may get that. ipcFd keeps the number and may be polled; FCGX_Free ends the wait.
 * Closing it with close(2) is safe only if no other thread serves requests. Closing waits at most
 * LIBFCGI_OS_CLOSE_POLL_TIMEOUT for a web server that is still sending, so that it does not lose
 * the response.
 *
 * Threads and signals: may be called by another thread than FCGX_Accept_r was.
 *
 * Specification: 3.5, 5.5.
 */
DLLAPI void FCGX_Finish_r(struct FCGX_Request *request);

/**
 * Finishes the request of FCGX_Accept, as FCGX_Finish_r does.
 *
 * Side effects: as FCGX_Finish_r.
 *
 * Threads and signals: for one thread at a time.
 */
DLLAPI void FCGX_Finish(void);

/**
 * Abandons a request without finishing it: sends nothing, not even what its streams hold. On a
 * fresh or finished request it only closes the connection, or leaves it to the program.
 *
 * Parameters:
 * - close: not 0 to close the connection; 0 to leave it open in ipcFd, for the program.
 *
 * Side effects: sets in, out, err and envp to NULL, and with close ipcFd to -1. If another thread
 * already has the next request of a kept connection, that goes on, and ipcFd becomes -1.
 */
DLLAPI void FCGX_Free(struct FCGX_Request *request, int close);

/* ---- Shut down ---- */

/**
 * Requests shutdown: FCGX_Accept_r fails with -EINTR in every thread, in this call and in later
 * ones, until OS_LibShutdown and FCGX_Init have been called. Requests in progress go on, and no
 * new connection is accepted.
 *
 * An open connection may have sent a request already. Accept waits for it, for LIBFCGI_DRAIN
 * milliseconds (60 by default) of silence on each connection, and returns it as usual. So a
 * program calls Accept until it fails before it ends.
 *
 * Side effects: each connection is closed with the response to its request, or by a waiting thread
 * when its time is over. errno stays as it is. While a thread waits in accept4, another descriptor
 * stands at the listen socket's number until Accept returns: a signal handler that uses the listen
 * socket does so before this call.
 *
 * Threads and signals: async-signal-safe.
 */
DLLAPI void FCGX_ShutdownPending(void);

/* ---- Share a connection with a forked process ---- */

/**
 * Notes that another process, forked during the request, continues on its connection: closing it
 * here closes only this process's descriptor, without shutting the connection down.
 *
 * Returns: 0; -1 if r is NULL or has no connection (descriptor 0 does not count as one).
 */
DLLAPI int FCGX_Detach(struct FCGX_Request *r);

/**
 * Undoes FCGX_Detach.
 *
 * Returns: 0; -1 if r is NULL.
 */
DLLAPI int FCGX_Attach(struct FCGX_Request *r);

/* ---- Write records to any descriptor ---- */

/**
 * Makes a stream that writes records to any descriptor, such as FCGI_PARAMS and FCGI_STDIN from
 * the web server's side. FCGX_FClose ends it, and FCGX_FreeStream frees it.
 *
 * Parameters:
 * - socket: the descriptor. It stays the program's and is never closed here.
 * - requestId: the request id of the records, 0 to 65535.
 * - bufflen: the bytes of a full record, header included. The library takes it as at least 32 and
 *   at most 65536, rounded up to a multiple of 8.
 * - streamType: the type of the records.
 *
 * Returns: the stream; NULL on failure.
 *
 * Errors: ENOMEM if memory is short.
 *
 * Specification: 3.3, 5.3.
 */
DLLAPI
struct FCGX_Stream *FCGX_CreateWriter(int socket,
                                      int requestId,
                                      int bufflen,
                                      int streamType);

/**
 * Frees a stream of FCGX_CreateWriter. What was not flushed is lost.
 *
 * Parameters:
 * - stream: where the program keeps its pointer, which becomes NULL. Streams of requests are not
 *   freed: they belong to their request.
 */
DLLAPI void FCGX_FreeStream(struct FCGX_Stream **stream);

#ifdef __cplusplus
}
#endif

#endif /* _FCGIAPP_H */
