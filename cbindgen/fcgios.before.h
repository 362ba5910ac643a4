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
