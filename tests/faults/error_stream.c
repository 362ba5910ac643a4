/*
 * Out of memory at the first output to STDERR: the write fails, but the request is still answered
 * to its end, and the next one is served as if nothing had happened.
 */
#include "fcgi_client.h"

/* While it is set, every allocation fails. */
static volatile int no_memory;

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

void *malloc(size_t size)
{
    return no_memory ? errno = ENOMEM, NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return no_memory ? errno = ENOMEM, NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return no_memory ? errno = ENOMEM, NULL : __libc_realloc(old, size);
}

/* Serves one request, with or without memory for its STDERR. */
static void serve(FCGX_Request *request, int without_memory)
{
    int put, client = request_here("");

    printf("accept %d\n", FCGX_Accept_r(request));
    FCGX_PutS("output", request->out);
    no_memory = without_memory;
    put = FCGX_PutS("error", request->err);
    no_memory = 0;
    printf("put %d, no memory %d\n", put, FCGX_GetError(request->err) == ENOMEM);
    FCGX_SetExitStatus(3, request->out);
    FCGX_Finish_r(request);
    print_reply(client);
}

int main(void)
{
    FCGX_Request request;

    FCGX_InitRequest(&request, listen_here(), 0);
    serve(&request, 1);
    serve(&request, 0);
    return 0;
}
