/* app.c with the library loaded by dlopen instead of linked. */
#define _POSIX_C_SOURCE 200809L

#include <fcgiapp.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static void *find(const char *name)
{
    static void *library;
    void *symbol;

    if (library == NULL)
        library = dlopen("libfcgi.so.0", RTLD_NOW | RTLD_LOCAL);
    symbol = library == NULL ? NULL : dlsym(library, name);
    if (symbol == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(3);
    }
    return symbol;
}

/* Defines a function of the library as loaded_NAME. */
#define LOADED(result, name, parameters, arguments)                                            \
    static result loaded_##name parameters                                                     \
    {                                                                                          \
        result(*function) parameters;                                                          \
        *(void **)&function = find(#name);                                                     \
        return function arguments;                                                             \
    }

LOADED(int, FCGX_Init, (void), ())
LOADED(int, FCGX_InitRequest, (FCGX_Request *r, int socket, int flags), (r, socket, flags))
LOADED(int, FCGX_Accept_r, (FCGX_Request *r), (r))
LOADED(char *, FCGX_GetParam, (const char *name, FCGX_ParamArray list), (name, list))
LOADED(int, FCGX_GetStr, (char *text, int length, FCGX_Stream *s), (text, length, s))
LOADED(int, FCGX_PutStr, (const char *text, int length, FCGX_Stream *s), (text, length, s))
LOADED(int, FCGX_PutS, (const char *text, FCGX_Stream *s), (text, s))
LOADED(int, FCGX_GetError, (FCGX_Stream *s), (s))
LOADED(void, FCGX_Finish_r, (FCGX_Request *r), (r))
LOADED(void, FCGX_Free, (FCGX_Request *r, int close), (r, close))

#define FCGX_Init loaded_FCGX_Init
#define FCGX_InitRequest loaded_FCGX_InitRequest
#define FCGX_Accept_r loaded_FCGX_Accept_r
#define FCGX_GetParam loaded_FCGX_GetParam
#define FCGX_GetStr loaded_FCGX_GetStr
#define FCGX_PutStr loaded_FCGX_PutStr
#define FCGX_PutS loaded_FCGX_PutS
#define FCGX_GetError loaded_FCGX_GetError
#define FCGX_Finish_r loaded_FCGX_Finish_r
#define FCGX_Free loaded_FCGX_Free

#include "app.c"
