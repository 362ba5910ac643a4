/* Generated from src/capi/fcgios.rs by `UPDATE_HEADERS=1 cargo test --test headers`. */
/*
 * fcgios.h: sockets, processes and events below fcgiapp.h.
 *
 * Few programs need these functions; bridges between web servers and FastCGI applications do.
 * Programs link with -lfcgi. OS_LibInit(3) is the manual page.
 *
 * Conventions. A function's comment says only what differs from them.
 *
 * NULL: a path, buffer or procedure that is NULL is an error, which the comment names.
 *
 * Ownership: descriptors are the program's to close. Paths and buffers stay the program's; a buffer of
 * an asynchronous operation must live until that is done or cancelled.
 *
 * Threads: any thread may call any function at any time. A request to shut down ends
 * OS_Accept in every thread.
 *
 * Signals: no function is async-signal-safe unless its comment says so. A signal does not end a wait
 * unless the comment says so.
 *
 * Errors: a function that fails returns -1 and sets errno. No function ends the process,
 * unless memory runs out in OS_LibInit or OS_CreateLocalIpcFd.
 *
 * Environment: OS_LibInit reads the settings, see libfcgi(7).
 *
 * "Specification" names clauses of the FastCGI Specification 1.0.
 */
#ifndef _FCGIOS_H
#define _FCGIOS_H

#ifdef _WIN32
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>
#include <winsock2.h>
#else
#include <sys/time.h>
#include <sys/types.h>
#endif

#include "fcgi_config.h"

#ifdef _WIN32
#define OS_Errno GetLastError()
#define OS_SetErrno(err) SetLastError(err)
#ifndef O_NONBLOCK
#define O_NONBLOCK 0x0004
#endif
#else
#define OS_Errno errno
#define OS_SetErrno(err) errno = (err)
#endif

#ifndef MAXPATHLEN
#define MAXPATHLEN 1024
#endif
#ifndef X_OK
#define X_OK 0x01
#endif
#ifndef STDIN_FILENO
#define STDIN_FILENO 0
#endif
#ifndef STDOUT_FILENO
#define STDOUT_FILENO 1
#endif
#ifndef STDERR_FILENO
#define STDERR_FILENO 2
#endif

/* How long a silent peer on a unix socket is waited for: a struct timeval's initialiser. */
#define READABLE_UNIX_FD_DROP_DEAD_TIMEVAL 2,0

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

/* What a caller of OS_Async... gets back with its OS_AsyncProc. Tcl declares it too. */
#ifndef _CLIENTDATA
#define _CLIENTDATA
typedef void *ClientData;
#endif

/**
 * Called by OS_DoIo when an asynchronous operation is done: `len` is the number of bytes, 0 at
 * the end of the file, -1 with errno after an error. It may start, cancel and close anything.
 */
typedef void (*OS_AsyncProc)(ClientData clientData, int len);

/* ---- Initialise and shut down ---- */

/**
 * Initialises the library: reads the settings and installs signal handlers. Every function of this
 * header works without it, with the defaults of the settings.
 *
 * Parameters:
 * - stdioFds: not used on Unix; may be NULL.
 *
 * Returns: 0.
 *
 * Side effects: as FCGX_Init, but a second call installs the handlers again.
 */
DLLAPI int OS_LibInit(int *stdioFds);

/**
 * Requests shutdown, as FCGX_ShutdownPending does: requests in progress, and those that are
 * arriving, are finished. Then every wait for another one fails, in this call and in later ones,
 * in every thread. OS_LibShutdown and FCGX_Init are the way back.
 *
 * Threads and signals: async-signal-safe.
 */
DLLAPI void OS_ShutdownPending(void);

/**
 * Releases what the library holds: cancels asynchronous operations that still wait, closes idle
 * connections, frees spare memory. The library can be unloaded afterwards.
 *
 * The next FCGX_Init, FCGX_IsCGI, FCGX_Accept, FCGI_Accept or OS_LibInit begins anew. It forgets
 * an earlier request to shut down and installs the handlers. It reads the settings, unless environ
 * is or was a request's. A program may also go on without that: a request to shut down stays, and
 * the next FCGX_Accept_r or OS_Accept installs the handlers again. A second call is harmless.
 *
 * Side effects: SIGTERM and SIGUSR1 do again what they did before the library was initialised,
 * unless a thread waits for a request, or a request is in progress or finished with its connection
 * kept. A handler that the program has set since stays, and so does the library's for SIGPIPE.
 */
DLLAPI void OS_LibShutdown(void);

/* ---- Make, accept and connect sockets ---- */

/**
 * Makes a listen socket, as FCGX_OpenSocket does.
 *
 * Parameters:
 * - bindPath: the path of FCGX_OpenSocket.
 *
 * Returns: as FCGX_OpenSocket.
 *
 * Errors: as FCGX_OpenSocket.
 *
 * Side effects: as FCGX_OpenSocket.
 */
DLLAPI int OS_CreateLocalIpcFd(const char *bindPath, int backlog);

/**
 * Tells whether a descriptor is a listen socket, that is, a socket without a peer. If descriptor 0
 * is one, the program was started as a FastCGI application, else as a CGI program.
 *
 * Returns: 1 or 0.
 *
 * Threads and signals: async-signal-safe.
 *
 * Specification: 2.2.
 */
DLLAPI int OS_IsFcgi(int sock);

/**
 * Waits for the next connection. Closes a connection through a unix socket on which nothing
 * arrives within LIBFCGI_IS_AF_UNIX_KEEPER_POLL_TIMEOUT milliseconds (2000 by default).
 *
 * Parameters:
 * - fail_on_intr: not 0 makes a signal end the wait if its handler has no SA_RESTART.
 * - webServerAddrs: addresses of web servers that may connect by TCP, separated by commas, without
 *   spaces, names or masks. Other connections are closed. NULL or "" admits all.
 *
 * Returns: the connection's descriptor, which executed programs do not inherit; -1 on failure.
 *
 * Errors: EINTR after a signal with fail_on_intr, and always if shutdown was requested
 * (OS_ShutdownPending, SIGTERM, SIGUSR1). EAGAIN if the program has made the listen socket
 * non-blocking and no connection is ready. Otherwise as accept(2).
 *
 * Side effects: with several threads, makes the listen socket non-blocking for all processes that
 * share it.
 *
 * Specification: 3.2.
 */
DLLAPI int OS_Accept(int listen_sock, int fail_on_intr, const char *webServerAddrs);

/**
 * Connects to the listen socket of a FastCGI application.
 *
 * Parameters:
 * - bindPath: a name as for OS_CreateLocalIpcFd. A port without a host is this machine's.
 *
 * Returns: the connection's descriptor, which executed programs inherit; -1 on failure.
 *
 * Errors: EINVAL if bindPath is NULL or the port is above 65535. ENAMETOOLONG if bindPath is too
 * long. EADDRNOTAVAIL if the host is unknown. Otherwise as connect(2) sets errno.
 */
DLLAPI int OS_FcgiConnect(char *bindPath);

/* ---- Read, write and close descriptors ---- */

/**
 * Reads once from a descriptor, as read(2). A signal does not end the wait.
 *
 * Parameters:
 * - len: the room of buf. At most INT_MAX bytes are read at once.
 *
 * Returns: the number of bytes read, 0 at the end; -1 on failure.
 *
 * Errors: EFAULT if buf is NULL. Otherwise as read(2).
 *
 * Threads and signals: async-signal-safe.
 */
DLLAPI int OS_Read(int fd, char *buf, size_t len);

/**
 * Writes once to a descriptor, as write(2). A signal does not end the wait.
 *
 * Parameters:
 * - len: the bytes of buf. At most INT_MAX bytes are written at once.
 *
 * Returns: the number of bytes written; -1 on failure.
 *
 * Errors: EFAULT if buf is NULL. Otherwise as write(2).
 *
 * Threads and signals: async-signal-safe.
 */
DLLAPI int OS_Write(int fd, char *buf, size_t len);

/**
 * Adds flags such as O_NONBLOCK to the open file of a descriptor, as F_SETFL of fcntl(2) does.
 *
 * Errors: as fcntl(2).
 *
 * Threads and signals: async-signal-safe.
 */
DLLAPI void OS_SetFlags(int fd, int flags);

/**
 * Ends reading from a connection and cancels its asynchronous read, without calling the procedure.
 * Writing goes on, and the descriptor stays open.
 *
 * Returns: 0; -1 on failure.
 *
 * Errors: as shutdown(2).
 */
DLLAPI int OS_CloseRead(int fd);

/**
 * Closes a descriptor and cancels its asynchronous operations, without calling their procedures.
 *
 * Parameters:
 * - fd: -1 closes nothing.
 * - shutdown: not 0 closes a connection gracefully: ends sending, and discards what the peer still
 *   sends. This lasts until the peer ends, 64 MB have come, or LIBFCGI_OS_CLOSE_POLL_TIMEOUT
 *   milliseconds (2000 by default) are over. Closing with unread bytes could destroy what the peer
 *   has not read yet.
 *
 * Returns: 0, also for -1; -1 on failure.
 *
 * Errors: as close(2).
 */
DLLAPI int OS_Close(int fd, int shutdown);

/**
 * Closes a connection, as OS_Close does.
 *
 * Returns: as OS_Close.
 *
 * Errors: as OS_Close.
 */
DLLAPI int OS_IpcClose(int ipcFd, int shutdown);

/* ---- Read and write asynchronously ---- */

/**
 * Starts an asynchronous read: as soon as the descriptor is readable, OS_DoIo reads up to len
 * bytes into buf and calls procPtr with clientData and the result.
 *
 * Parameters:
 * - offset: not used on Unix; files are read at their present position.
 * - buf: must live until procPtr is called, or until OS_Close, OS_CloseRead or OS_LibShutdown
 *   cancels the operation.
 *
 * Returns: 0; -1 on failure.
 *
 * Errors: EBUSY if another read of this descriptor waits. EBADF if the descriptor is negative.
 * EINVAL if the length is negative or the procedure is NULL. ENOMEM if memory is short.
 *
 * Side effects: the operation waits for OS_DoIo.
 */
DLLAPI
int OS_AsyncRead(int fd,
                 int offset,
                 void *buf,
                 int len,
                 OS_AsyncProc procPtr,
                 ClientData clientData);

/**
 * Starts an asynchronous read of descriptor 0, as OS_AsyncRead does.
 *
 * Returns: as OS_AsyncRead.
 *
 * Errors: as OS_AsyncRead.
 */
DLLAPI int OS_AsyncReadStdin(void *buf, int len, OS_AsyncProc procPtr, ClientData clientData);

/**
 * Starts an asynchronous write: as soon as the descriptor is writable, OS_DoIo writes up to len
 * bytes of buf and calls procPtr with clientData and the result. OS_CloseRead does not cancel it.
 *
 * Parameters:
 * - offset, buf: as for OS_AsyncRead.
 *
 * Returns: as OS_AsyncRead.
 *
 * Errors: as OS_AsyncRead, for another write.
 */
DLLAPI
int OS_AsyncWrite(int fd,
                  int offset,
                  void *buf,
                  int len,
                  OS_AsyncProc procPtr,
                  ClientData clientData);

/**
 * Waits until at least one asynchronous operation can be done, does all that can be, and calls
 * their procedures: in the order of the descriptors, and reading before writing. Operations that
 * procedures start wait for the next call.
 *
 * Parameters:
 * - tmo: how long to wait at most; the time left is written back. NULL waits without limit.
 *
 * Returns: 0, also when the time is over; -1 on failure. A procedure gets the errors of its own
 * descriptor.
 *
 * Errors: EINVAL if the time is negative. EINTR if a signal interrupts the wait and shutdown was
 * requested, by that signal or before; other signals do not end the wait. Otherwise as poll(2).
 *
 * Side effects: those of the procedures, which are called with no lock held.
 */
DLLAPI int OS_DoIo(struct timeval *tmo);

/* ---- Start an application ---- */

/**
 * Starts a FastCGI application: executes execPath without arguments, with listenFd as descriptor
 * 0. Descriptors 1 and 2 are closed. PATH is not searched.
 *
 * Returns: 0, also if the program cannot be executed: then the child's exit status is errno; -1 if
 * no process could be made.
 *
 * Errors: EINVAL if execPath is NULL. Otherwise as fork(2).
 *
 * Side effects: makes a child process, which the caller waits for.
 */
DLLAPI int OS_SpawnChild(char *execPath, int listenFd);

#ifdef __cplusplus
}
#endif

#endif /* _FCGIOS_H */
