/* Generated from src/capi/fcgiapp/mod.rs by `UPDATE_HEADERS=1 cargo test --test headers`. */
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
 * Error of a stream: the web server speaks another version of the protocol.
 */
#define FCGX_UNSUPPORTED_VERSION -2

/**
 * Error of a stream: the web server broke the protocol, gave the request up or went away.
 */
#define FCGX_PROTOCOL_ERROR -3

/**
 * Not used by this library.
 */
#define FCGX_PARAMS_ERROR -4

/**
 * Error of a stream: FCGX_StartFilterData was called at the wrong time.
 */
#define FCGX_CALL_SEQ_ERROR -5

/**
 * Flag for FCGX_InitRequest: a signal whose handler has no SA_RESTART makes FCGX_Accept_r fail with
 * -EINTR instead of waiting on.
 */
#define FCGI_FAIL_ACCEPT_ON_INTR 1

/**
 * A stream of bytes, to read or to write.
 *
 * Programs may use the fields: what is between `rdNext` and `stop` can be read, what is between
 * `wrNext` and `stop` can be written, without a call. A program may also fill in a stream of its
 * own, with its own procedures; every function here works on it.
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
     * Reader: the end of the bytes that are there. Writer: the end of the room that is there.
     */
    unsigned char *stop;
    /**
     * Reader: how far back rdNext may go by FCGX_UnGetChar.
     */
    unsigned char *stopUnget;
    /**
     * Not 0 for a reader.
     */
    int isReader;
    /**
     * Not 0 after the end of the stream, an error, or FCGX_FClose.
     */
    int isClosed;
    /**
     * Not 0 after FCGX_FClose.
     */
    int wasFCloseCalled;
    /**
     * 0, an errno value, or one of the negative FCGX_ errors. The first error stays.
     */
    int FCGI_errno;
    /**
     * Reader: called when all bytes are read. Makes more available between rdNext and stop, or
     * sets isClosed.
     */
    void (*fillBuffProc)(struct FCGX_Stream *stream);
    /**
     * Writer: called when there is no room, to flush, and with doClose to end the stream. Makes
     * room between wrNext and stop, or sets isClosed.
     */
    void (*emptyBuffProc)(struct FCGX_Stream *stream, int doClose);
    /**
     * Belongs to whoever made the stream. In a stream of a request it belongs to the library: a
     * program must not change or free it.
     */
    void *data;
} FCGX_Stream;

/**
 * A request, or the place for the next one. The program provides the memory and calls
 * FCGX_InitRequest on it once. Between FCGX_Accept_r and FCGX_Finish_r it must not be moved.
 */
typedef struct FCGX_Request {
    /**
     * The request id on the wire.
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
     * The answer.
     */
    struct FCGX_Stream *out;
    /**
     * Messages for the web server's log.
     */
    struct FCGX_Stream *err;
    /**
     * The parameters: "NAME=value" strings and a NULL. The first is FCGI_ROLE. The program may
     * change the strings; they live until FCGX_Finish_r.
     */
    char **envp;
    /**
     * Belongs to the library: a program must not read, change or free it.
     */
    struct Params *paramsPtr;
    /**
     * The connection; -1 for none. While it is kept between requests, it waits in the library, where
     * another thread may get its next request; programs may poll it.
     */
    int ipcFd;
    /**
     * Not 0 while there is a request. Belongs to the library once that is finished.
     */
    int isBeginProcessed;
    /**
     * Not 0 if the connection stays open after the request; may be set to 0 to have it closed.
     */
    int keepConnection;
    /**
     * The exit status to report; see FCGX_SetExitStatus.
     */
    int appStatus;
    /**
     * Output streams that are not closed yet. Belongs to the library once the request is finished.
     */
    int nWriters;
    /**
     * As given to FCGX_InitRequest.
     */
    int flags;
    /**
     * As given to FCGX_InitRequest.
     */
    int listen_sock;
    /**
     * Not 0 after FCGX_Detach.
     */
    int detached;
} FCGX_Request;

/**
 * Environment of a request: pointers to "NAME=value" strings, then NULL.
 */
typedef char **FCGX_ParamArray;

/**
 * Writes as the C library's fprintf does: every conversion that it knows works here too.
 *
 * Results: the number of bytes written; negative when the stream has ended or is for reading,
 * on a write error, and on what fprintf rejects.
 *
 * Side effects: as FCGX_PutStr. The text is made in the stream's buffer if it fits there,
 * without other memory.
 */
extern int FCGX_FPrintF(struct FCGX_Stream *stream, const char *format, ...);

/**
 * FCGX_FPrintF with its arguments in a va_list, whose value is unspecified afterwards.
 */
extern int FCGX_VFPrintF(struct FCGX_Stream *stream, const char *format, va_list arg);

/**
 * Whether the process was started as a CGI program: descriptor 0 is not a listen socket.
 *
 * Results: 1 for CGI, 0 for FastCGI. Descriptor 0 is looked at in each call until it has been
 * found to be a listen socket; from then on the answer is 0.
 *
 * Side effects: initialises the library as FCGX_Init does. Thread-safe.
 */
DLLAPI int FCGX_IsCGI(void);

/**
 * Initialises the library. To be called before FCGX_Accept_r; FCGX_Accept and FCGX_IsCGI do it by
 * themselves.
 *
 * Results: 0.
 *
 * Side effects: reads the settings from the environment (LIBFCGI_ variables,
 * FCGI_WEB_SERVER_ADDRS); installs handlers for SIGTERM and SIGUSR1, as FCGX_ShutdownPending, and
 * for SIGPIPE, which does nothing, each only where the program has left the default or ignores the
 * signal. They run on the stack that a thread has for signals, if any (SA_ONSTACK). Called again it
 * does nothing, but after OS_LibShutdown it does all of this again and forgets that shutting down
 * was asked for before. Thread-safe.
 */
DLLAPI int FCGX_Init(void);

/**
 * Makes a listen socket for FCGX_InitRequest, at the lowest free descriptor.
 *
 * path: "path" of a unix socket (107 bytes at most), ":port" or "*:port" for every IPv4
 * interface, "host:port", "[v6]:port" (port 0: any that is free). What has no number greater than
 * 0 behind its first colon is a path; "" makes a socket with an abstract name that the system
 * chooses.
 * backlog: how many connections may wait to be accepted; goes to listen(2) as it is.
 *
 * Results: the descriptor, which executed programs inherit; -1 on failure, with errno: EINVAL
 * (NULL; a port above 65535), ENAMETOOLONG, EEXIST (anything else than a socket, an empty file or
 * a symbolic link is at the path), EADDRNOTAVAIL (an unknown host, or an address that is not this
 * machine's), and what socket(2), bind(2) and listen(2) set.
 *
 * Side effects: a socket, an empty file or a symbolic link itself at the path is replaced, whether
 * in use or not. The reason of a failure, but for NULL, is written to stderr; the process is never
 * ended. Works before FCGX_Init. Thread-safe.
 */
DLLAPI int FCGX_OpenSocket(const char *path, int backlog);

/**
 * Prepares a request for FCGX_Accept_r.
 *
 * request: memory of the program's, of any contents. It must not hold a request that is accepted:
 * that one would be lost, with its connection left open. One that is finished may be in it; if its
 * connection is kept, it is served on.
 * sock: the listen socket: 0, or what FCGX_OpenSocket gave.
 * flags: 0 or FCGI_FAIL_ACCEPT_ON_INTR.
 *
 * Results: 0; -1 if request is NULL.
 *
 * Side effects: none besides. Works before FCGX_Init. Thread-safe.
 */
DLLAPI int FCGX_InitRequest(struct FCGX_Request *request, int sock, int flags);

/**
 * Waits for the next request. The request that the struct still holds is finished first.
 *
 * While a thread waits here, it waits for new connections and for all kept ones of the same listen
 * socket together: the next request may come on the connection of the last one or on another. A
 * connection that the program has put into ipcFd itself, with keepConnection set, is read first;
 * without it the connection is closed. Where the request was initialised without a listen socket, or
 * the program has made that non-blocking, a kept connection stays with the struct and is waited for
 * alone.
 *
 * Results: 0. Negative on failure: -EINTR when shutting down was asked for (SIGTERM, SIGUSR1,
 * FCGX_ShutdownPending) and, with FCGI_FAIL_ACCEPT_ON_INTR, after a signal that would interrupt
 * accept(2), by a handler without SA_RESTART; -EAGAIN when nothing is there and the program has made
 * its listen socket non-blocking, or after the time limit that it has set there (SO_RCVTIMEO); -EBADF, -ENOTSOCK
 * and other errors of accept4(2); -9998 before FCGX_Init. The struct holds no request then.
 *
 * Side effects: in, out, err and envp are valid until the request is finished. What a connection
 * sends that is no request is answered or refused as the FastCGI specification says (4, 5.5); one
 * that is silent or slow for too long, or for which there is no memory, is closed (libfcgi(7));
 * web servers that FCGI_WEB_SERVER_ADDRS does not list are disconnected. From the second
 * thread or the first idle connection on, the listen socket is made non-blocking, with O_APPEND set as
 * well. A program that makes it so itself does that before the first call, or sets no other flag.
 *
 * Thread-safe, with a request for each thread. Not to be called in signal handlers. One may leave it by
 * siglongjmp while it waits, and it may be called again: no lock is held, and connections that wait
 * together are served by later calls. One that is waited for alone stays open and is not served: of a
 * request without a listen socket, a new one whose head is on its way, and when shutting down any.
 */
DLLAPI
int FCGX_Accept_r(struct FCGX_Request *request);

/**
 * Finishes a request: sends what its streams still hold, their ends, and FCGI_END_REQUEST with
 * the exit status (specification 5.5).
 *
 * Side effects: in, out, err and envp become NULL. The connection is closed, or kept if the web
 * server wants that (FCGI_KEEP_CONN), keepConnection is still set, nothing went wrong and shutting
 * down was not asked for: then it waits for its next request in the library, and any thread in
 * FCGX_Accept_r may get that. The struct may be used again, initialised anew or freed. ipcFd keeps
 * the number: it may be polled, and FCGX_Free ends the wait. To close it with close(2) is safe only
 * where no other thread serves requests. Closing waits at most LIBFCGI_OS_CLOSE_POLL_TIMEOUT for a
 * web server that is still sending, so that it does not lose the answer. Errors are not reported: call FCGX_FClose first to see them. NULL, a fresh request
 * and a finished one: nothing happens.
 *
 * Thread-safe for different requests; may be called by another thread than FCGX_Accept_r was.
 */
DLLAPI
void FCGX_Finish_r(struct FCGX_Request *request);

/**
 * Gives up a request without finishing it: nothing is sent, not even what its streams hold.
 *
 * close: not 0 to close the connection, too; 0 to leave it open in ipcFd, for the program.
 *
 * Side effects: in, out, err and envp become NULL; with close, ipcFd becomes -1. NULL, fresh and
 * finished requests: only the connection is closed, or left to the program, if there is one. Where
 * another thread has the next request on it, it goes on, and ipcFd becomes -1.
 *
 * Thread-safe for different requests.
 */
DLLAPI void FCGX_Free(struct FCGX_Request *request, int close);

/**
 * FCGX_Accept_r for programs with one request: on descriptor 0, after initialising the library if
 * need be.
 *
 * Results: as FCGX_Accept_r. On failure all four places are set to NULL.
 *
 * Side effects: as FCGX_Accept_r; *in, *out, *err and *envp are those of the request.
 *
 * Thread safety: none; one thread at a time.
 */
DLLAPI
int FCGX_Accept(struct FCGX_Stream **in,
                struct FCGX_Stream **out,
                struct FCGX_Stream **err,
                FCGX_ParamArray *envp);

/**
 * FCGX_Finish_r for the request of FCGX_Accept.
 *
 * Thread safety: none; one thread at a time.
 */
DLLAPI void FCGX_Finish(void);

/**
 * The value of a parameter.
 *
 * name: the whole name, without "=".
 * envp: a vector of "NAME=value" strings that ends with NULL, as in FCGX_Request.
 *
 * Results: the value, within the first string that has this name; NULL if there is none, and
 * if name or envp is NULL.
 *
 * Side effects: none. Thread-safe.
 */
DLLAPI char *FCGX_GetParam(const char *name, FCGX_ParamArray envp);

/**
 * Sets the exit status that FCGI_END_REQUEST reports (specification 5.5, appStatus); 0 without
 * this call.
 *
 * stream: any stream of the request, not finished. Other streams: nothing happens.
 *
 * Side effects: sets appStatus of the request. Thread-safe for different requests.
 */
DLLAPI void FCGX_SetExitStatus(int status, struct FCGX_Stream *stream);

/**
 * Asks every thread that waits for a request to stop: FCGX_Accept_r fails with -EINTR, in this
 * call and in every later one until OS_LibShutdown and FCGX_Init have been called. Requests in
 * progress are not disturbed. No new connection is taken. Those that are open may have a request on
 * its way: Accept waits for it, for LIBFCGI_DRAIN milliseconds (60 by default) of silence on each, and
 * gives it to the program as usual. So a program calls Accept until it fails before it ends.
 *
 * Side effects: each connection is closed with the answer to its request, or by a waiting thread when
 * its time is over. errno stays as it is. While a thread waits in accept4, another descriptor
 * stands at the listen socket's number until Accept returns: a signal handler that does anything
 * with the listen socket does it before.
 *
 * Async-signal-safe and thread-safe.
 */
DLLAPI
void FCGX_ShutdownPending(void);

/**
 * Takes FCGX_Detach back.
 *
 * Results: 0; -1 if r is NULL.
 */
DLLAPI int FCGX_Attach(struct FCGX_Request *r);

/**
 * Notes that another process, forked in the middle of the request, goes on with its connection:
 * closing it here closes only this process's descriptor, without shutting the connection down.
 *
 * Results: 0; -1 if r is NULL or has no connection (descriptor 0 counts as none).
 */
DLLAPI int FCGX_Detach(struct FCGX_Request *r);

/**
 * Goes on from the end of a Filter's standard input to the file that it works on (specification
 * 6.4): the stream then reads the data.
 *
 * stream: the in stream of a request in the role FCGI_FILTER that has been read to its end.
 *
 * Results: 0; -1 in any other state.
 *
 * Side effects: a failure sets the stream's error to FCGX_CALL_SEQ_ERROR and ends it.
 */
DLLAPI int FCGX_StartFilterData(struct FCGX_Stream *stream);

/**
 * Reads one byte.
 *
 * stream: not NULL (this goes for the functions that are called for every byte or piece:
 * FCGX_GetChar, FCGX_PutChar, FCGX_PutStr; the others do nothing then).
 *
 * Results: the byte, 0 to 255; -1 at the end of the stream and on failure.
 *
 * Side effects: none besides.
 *
 * Thread safety of this and all following functions: one thread at a time for each stream. Three
 * threads may use in, out and err of one request at the same time: their records go out whole, in the
 * order of their calls. A thread that writes waits for another one that is sending; a thread that reads
 * does not. A signal handler may leave these functions by siglongjmp while they wait for the web server.
 * Reading goes on where it was. A thread that has left writing counts as sending until it ends or sends
 * again on the same request; then nothing can follow what was cut: writing fails with EPIPE, and the
 * connection ends. FCGX_Finish_r, FCGX_Free and FCGX_Accept_r on the request are for one thread, when no other
 * uses its streams.
 */
DLLAPI
int FCGX_GetChar(struct FCGX_Stream *stream);

/**
 * Pushes a byte back: the next read gives it first. At least one byte fits before anything was
 * read, and after each read, unless the end has been met.
 *
 * Results: c; -1 if c is -1, there is no room, the stream has ended, or it is for writing.
 */
DLLAPI int FCGX_UnGetChar(int c, struct FCGX_Stream *stream);

/**
 * Reads n bytes into str, without a NUL at the end.
 *
 * Results: the number of bytes read: less than n at the end of the stream and on failure only; 0
 * if n is not positive.
 */
DLLAPI int FCGX_GetStr(char *str, int n, struct FCGX_Stream *stream);

/**
 * Reads a line into str: up to and including a line feed, at most n - 1 bytes, and a NUL.
 *
 * Results: str; NULL at the end of the stream if nothing was read (str is not changed then), and
 * if n is not positive.
 */
DLLAPI char *FCGX_GetLine(char *str, int n, struct FCGX_Stream *stream);

/**
 * Whether reading has met the end of the stream. Does not look ahead: 0 means that a read may
 * still find the end.
 *
 * Results: -1 after the end, an error or FCGX_FClose; else 0.
 */
DLLAPI int FCGX_HasSeenEOF(struct FCGX_Stream *stream);

/**
 * Writes one byte.
 *
 * stream: not NULL.
 *
 * Results: the byte, 0 to 255; -1 on failure.
 *
 * Side effects: what was written is sent once the buffer is full (about 8 KB at first), by
 * FCGX_FFlush, and at the end of the stream.
 */
DLLAPI int FCGX_PutChar(int c, struct FCGX_Stream *stream);

/**
 * Writes n bytes.
 *
 * stream: not NULL. str: may be NULL if n is 0.
 *
 * Results: n; -1 on failure, also if n is negative: it is not known then how much was sent.
 *
 * Side effects: as FCGX_PutChar. Many bytes at once are sent from the caller's memory, without
 * being copied.
 */
DLLAPI int FCGX_PutStr(const char *str, int n, struct FCGX_Stream *stream);

/**
 * Writes a string, without its NUL.
 *
 * Results: the number of bytes (INT_MAX if there are more); -1 on failure.
 *
 * Side effects: as FCGX_PutStr.
 */
DLLAPI int FCGX_PutS(const char *str, struct FCGX_Stream *stream);

/**
 * Sends what was written. Nothing is sent if nothing was.
 *
 * Results: 0; -1 if this flush failed. For a reader, and for a stream that has ended already, also
 * by an error, nothing happens, and the result is 0.
 */
DLLAPI int FCGX_FFlush(struct FCGX_Stream *stream);

/**
 * Ends a stream. Writer: sends what was written and the end of the stream; with the second of
 * out and err also FCGI_END_REQUEST, so that the web server has the whole answer. Reader:
 * nothing more can be read. FCGX_Finish_r does this by itself.
 *
 * Results: 0, also for NULL; -1 if the stream has an error that was not cleared.
 * Errors: errno is the stream's error, if that is positive.
 *
 * Side effects: the struct stays; FCGX_FreeStream frees that of FCGX_CreateWriter.
 */
DLLAPI int FCGX_FClose(struct FCGX_Stream *stream);

/**
 * The first error of a stream.
 *
 * Results: 0 for none; positive: errno of the failed system call; negative: FCGX_PROTOCOL_ERROR,
 * FCGX_UNSUPPORTED_VERSION, FCGX_CALL_SEQ_ERROR.
 */
DLLAPI int FCGX_GetError(struct FCGX_Stream *stream);

/**
 * Forgets the error of a stream. A stream that has ended stays so.
 */
DLLAPI void FCGX_ClearError(struct FCGX_Stream *stream);

/**
 * Makes a stream that writes records to any descriptor, such as FCGI_PARAMS and FCGI_STDIN from
 * the web server's side.
 *
 * socket: the descriptor; it stays the program's and is never closed here.
 * requestId: the records' request id, 0 to 65535.
 * bufflen: bytes of a full record, header included; taken as at least 32 and at most 65536, in
 * steps of 8.
 * streamType: the records' type.
 *
 * Results: the stream, to be ended by FCGX_FClose and freed by FCGX_FreeStream; NULL without memory,
 * with errno ENOMEM.
 */
DLLAPI
struct FCGX_Stream *FCGX_CreateWriter(int socket,
                                      int requestId,
                                      int bufflen,
                                      int streamType);

/**
 * Frees a stream of FCGX_CreateWriter; what was not flushed is lost.
 *
 * stream: where the program has its pointer, which becomes NULL. Streams of requests are not
 * freed: they belong to their request.
 */
DLLAPI void FCGX_FreeStream(struct FCGX_Stream **stream);

#ifdef __cplusplus
}
#endif

#endif /* _FCGIAPP_H */
