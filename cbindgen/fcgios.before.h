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
