/* Generated from src/capi/fcgios.rs by `UPDATE_HEADERS=1 cargo test --test headers`. */
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

/**
 * Initialises the library: reads the settings (libfcgi(7)); installs handlers for SIGTERM and SIGUSR1
 * (finish the request in progress, then stop accepting) and for SIGPIPE (does nothing), each only
 * where the program has left the default or ignores the signal. After OS_LibShutdown it begins anew.
 *
 * stdioFds: not used on Unix; may be NULL.
 *
 * Results: 0.
 *
 * Side effects: as above. Called again it only installs the handlers. Every function of this header
 * works without it; the settings have their defaults then. Thread-safe.
 */
DLLAPI
int OS_LibInit(int *stdioFds);

/**
 * Gives back what the library holds: forgets asynchronous operations that still wait, closes idle
 * connections, frees spare memory. The next FCGX_Init, FCGX_IsCGI, FCGX_Accept, FCGI_Accept or
 * OS_LibInit begins anew: it forgets a wish to shut down that was there before, installs the handlers
 * and, unless environ is or was a request's, reads the settings. The library can be unloaded now.
 *
 * Signals: unless a thread waits for a request or one is in progress (or finished, with its connection
 * kept), SIGTERM and SIGUSR1 do again what they did before the library was initialised. A handler
 * that the program has set since stays, and so does the library's for SIGPIPE.
 *
 * Side effects: as above. A program may go on without beginning anew: a wish to shut down stays, and
 * the next FCGX_Accept_r or OS_Accept installs the handlers again. Calling it again is harmless.
 * Thread-safe, but not for signal handlers.
 */
DLLAPI
void OS_LibShutdown(void);

/**
 * Makes a listen socket at the lowest free descriptor.
 *
 * bindPath: "path" of a unix socket (up to 107 bytes), ":port" or "*:port" (every IPv4 interface),
 * "host:port" or `[v6]:port` (port 0: any that is free). What has no number greater than 0 behind its
 * first colon is a path; "" makes a socket with an abstract name that the system chooses.
 * backlog: how many connections may wait to be accepted; goes to listen(2) as it is.
 *
 * Results: the descriptor, which executed programs inherit; -1 after an error, with errno:
 * EINVAL for NULL and for a port above 65535, ENAMETOOLONG, EADDRNOTAVAIL for an unknown host and
 * for an address that is not this machine's, EEXIST if anything else than a socket, an empty file
 * or a symbolic link is at the path, and what socket(2), bind(2) and listen(2) set.
 *
 * Side effects: a socket, an empty file or a symbolic link itself at the path is replaced, whether
 * in use or not; idle connections of an earlier listen socket at the descriptor are closed. The reason
 * of an error, but for NULL, is written to stderr. Thread-safe.
 *
 * Requires: `bindPath` is NULL or a string.
 */
DLLAPI
int OS_CreateLocalIpcFd(const char *bindPath,
                        int backlog);

/**
 * Connects to the listen socket of a FastCGI application.
 *
 * bindPath: names as for OS_CreateLocalIpcFd; without a host the port is this machine's.
 *
 * Results: the connection's descriptor, which executed programs inherit; -1 after an error, with
 * errno: EINVAL for NULL and for a port above 65535, ENAMETOOLONG, EADDRNOTAVAIL for an unknown
 * host, and what connect(2) sets.
 *
 * Side effects: none besides. Thread-safe.
 *
 * Requires: `bindPath` is NULL or a string.
 */
DLLAPI int OS_FcgiConnect(char *bindPath);

/**
 * Reads once from a descriptor, as read(2). A signal does not end the wait.
 *
 * buf, len: room for len bytes; more than INT_MAX are never read at once.
 *
 * Results: the number of bytes read, 0 at the end; -1 after an error, with errno as read(2) sets
 * it, EFAULT for NULL.
 *
 * Side effects: none besides. Thread-safe, async-signal-safe.
 *
 * Requires: `buf` has room for `len` bytes.
 */
DLLAPI int OS_Read(int fd, char *buf, size_t len);

/**
 * Writes once to a descriptor, as write(2). A signal does not end the wait.
 *
 * buf, len: the bytes; more than INT_MAX are never written at once.
 *
 * Results: the number of bytes written; -1 after an error, with errno as write(2) sets it, EFAULT
 * for NULL.
 *
 * Side effects: none besides. Thread-safe, async-signal-safe.
 *
 * Requires: `buf` has `len` bytes.
 */
DLLAPI int OS_Write(int fd, char *buf, size_t len);

/**
 * Starts a FastCGI application: executes execPath (no search in PATH) without arguments, with
 * listenFd as descriptor 0; 1 and 2 are closed.
 *
 * Results: 0, also when the program cannot be executed: then the child's exit status is errno.
 * -1 when no process could be made, with errno as fork(2) sets it, EINVAL for NULL.
 *
 * Side effects: a child process, to be waited for by the caller. Thread-safe.
 *
 * Requires: `execPath` is NULL or a string.
 */
DLLAPI int OS_SpawnChild(char *execPath, int listenFd);

/**
 * Starts an asynchronous read of descriptor 0, as OS_AsyncRead does.
 *
 * Results and side effects are those of OS_AsyncRead.
 *
 * Requires: `buf` has room for `len` bytes as long as the operation waits.
 */
DLLAPI int OS_AsyncReadStdin(void *buf, int len, OS_AsyncProc procPtr, ClientData clientData);

/**
 * Starts an asynchronous read: as soon as the descriptor can be read, OS_DoIo reads up to len
 * bytes into buf and calls procPtr with clientData and the result.
 *
 * offset: not used on Unix; files are read from their present position.
 *
 * Results: 0; -1 after an error, with errno: EBUSY while another read of this descriptor waits,
 * EBADF for a negative descriptor, EINVAL for a negative length and a NULL procedure, ENOMEM.
 *
 * Side effects: the operation waits for OS_DoIo; buf must live until procPtr is called or
 * OS_Close, OS_CloseRead or OS_LibShutdown cancels it. Thread-safe.
 *
 * Requires: `buf` has room for `len` bytes as long as the operation waits.
 */
DLLAPI
int OS_AsyncRead(int fd,
                 int offset,
                 void *buf,
                 int len,
                 OS_AsyncProc procPtr,
                 ClientData clientData);

/**
 * Starts an asynchronous write: as soon as the descriptor takes bytes, OS_DoIo writes up to len
 * bytes of buf and calls procPtr with clientData and the result. Parameters, results and side
 * effects are those of OS_AsyncRead; OS_CloseRead does not cancel it.
 *
 * Requires: `buf` has `len` bytes as long as the operation waits.
 */
DLLAPI
int OS_AsyncWrite(int fd,
                  int offset,
                  void *buf,
                  int len,
                  OS_AsyncProc procPtr,
                  ClientData clientData);

/**
 * Closes a descriptor and cancels its asynchronous operations; their procedures are not called.
 *
 * shutdown: not 0 closes a connection gracefully: it tells the peer that nothing more comes and
 * throws away what the peer still sends, until the peer ends, 64 MB have come or
 * LIBFCGI_OS_CLOSE_POLL_TIMEOUT milliseconds (2000 by default) are over. Closing with unread
 * bytes could destroy what the peer has not read yet.
 *
 * Results: 0, also for -1, which is nothing to close; -1 after an error, with errno as close(2)
 * sets it.
 *
 * Side effects: as above. Thread-safe.
 */
DLLAPI int OS_Close(int fd, int shutdown);

/**
 * Ends reading from a connection and cancels its asynchronous read; the procedure is not called.
 * Writing goes on, and the descriptor stays open.
 *
 * Results: 0; -1 after an error, with errno as shutdown(2) sets it.
 *
 * Side effects: as above. Thread-safe.
 */
DLLAPI int OS_CloseRead(int fd);

/**
 * Waits until at least one asynchronous operation can be done, does all that can be, and calls
 * their procedures, in the order of the descriptors and reading before writing. Operations that
 * procedures start wait for the next call.
 *
 * tmo: how long to wait at most; the time left is written back. NULL waits for ever.
 *
 * Results: 0, also when the time was over; -1 after an error, with errno: EINVAL for a negative
 * time, EINTR after a signal if shutting down has been asked for, at the latest by it (no other
 * ends the wait), and what poll(2) sets. What goes wrong with one descriptor is told to its
 * procedure.
 *
 * Side effects: those of the procedures, which are called with no lock held. Thread-safe.
 *
 * Requires: `tmo` is NULL or a time; buffers and procedures are as their operations promised.
 */
DLLAPI int OS_DoIo(struct timeval *tmo);

/**
 * Waits for the next connection.
 *
 * fail_on_intr: not 0 makes a signal end the wait whose handler has no SA_RESTART.
 * webServerAddrs: addresses of web servers that may connect by TCP, separated by commas, without
 * spaces, names or masks; connections of others are closed. NULL or "" admits all.
 *
 * A connection through a unix socket on which nothing arrives within
 * LIBFCGI_IS_AF_UNIX_KEEPER_POLL_TIMEOUT milliseconds (2000 by default) is closed.
 *
 * Results: the connection's descriptor, which executed programs do not inherit; -1 after an error,
 * with errno: EINTR after a signal with fail_on_intr and, always, when shutting down was asked for
 * (OS_ShutdownPending, SIGTERM, SIGUSR1); EAGAIN when the program has made the listen socket
 * non-blocking; what accept(2) sets otherwise.
 *
 * Side effects: with several threads the listen socket becomes non-blocking, for all processes that
 * share it. Thread-safe: every thread that waits here comes back when shutting down is asked for.
 *
 * Requires: `webServerAddrs` is NULL or a string.
 */
DLLAPI int OS_Accept(int listen_sock, int fail_on_intr, const char *webServerAddrs);

/**
 * Closes a connection, as OS_Close does.
 *
 * Results: 0; -1 after an error, with errno as for OS_Close.
 *
 * Side effects: as OS_Close. Thread-safe.
 */
DLLAPI int OS_IpcClose(int ipcFd, int shutdown);

/**
 * Says whether a descriptor is a listen socket, that is a socket without a peer. If descriptor 0
 * is one, the program was started as a FastCGI application, else as a CGI program.
 *
 * Results: 1 or 0.
 *
 * Side effects: none. Thread-safe, async-signal-safe.
 */
DLLAPI int OS_IsFcgi(int sock);

/**
 * Adds flags such as O_NONBLOCK to a descriptor's open file, as F_SETFL of fcntl(2) does.
 *
 * Side effects: as above; after an error nothing, with errno as fcntl(2) sets it. Thread-safe,
 * async-signal-safe.
 */
DLLAPI void OS_SetFlags(int fd, int flags);

/**
 * Asks the library to shut down, as FCGX_ShutdownPending: the requests in progress, and those on
 * their way, are finished, then every wait for another one, present and future, in every thread,
 * ends with an error. OS_LibShutdown and FCGX_Init are the way back.
 *
 * Side effects: as above. Thread-safe, async-signal-safe: made for signal handlers.
 */
DLLAPI void OS_ShutdownPending(void);

#ifdef __cplusplus
}
#endif

#endif /* _FCGIOS_H */
