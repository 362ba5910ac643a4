/*
 * exit() and the return from main() finish the request of FCGI_Accept; _exit() does not.
 */
#define NO_FCGI_DEFINES
#include "fcgi_client.h"

#include <fcgi_stdio.h>

extern char **environ;

static void in_exit(void)
{
    printf("the program's handler: environ is NULL: %d\n", environ == NULL);
    fflush(stdout);
}

/* Accepts a request in a child, which ends in its own way. */
static void serve(const char *title, void (*how)(void))
{
    int fd = request_here("");
    pid_t child;

    printf("\n%s\n", title);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        how();
        _exit(98);
    }
    print_child_end("child", child);
    print_reply(fd);
}

static void by_exit(void)
{
    FCGI_Accept();
    FCGI_puts("written");
    FCGI_SetExitStatus(9);
    exit(3);
}

static void by_exit_with_handler(void)
{
    atexit(in_exit);
    FCGI_Accept();
    FCGI_puts("written");
    exit(0);
}

static void by_exit_after_finish(void)
{
    FCGI_Accept();
    FCGI_puts("written");
    FCGI_Finish();
    exit(0);
}

static void by__exit(void)
{
    FCGI_Accept();
    FCGI_puts("lost");
    _exit(0);
}

/* Forks after Accept. The child finishes the request. */
static void by_exit_of_a_child(void)
{
    pid_t child;

    FCGI_Accept();
    child = fork();
    if (child == 0) {
        FCGI_puts("by the child");
        exit(0);
    }
    waitpid(child, NULL, 0);
    _exit(0);
}

/* The program itself must finish a request of FCGX_Accept. */
static void by_exit_fcgx(void)
{
    FCGX_Stream *in, *out, *err;
    FCGX_ParamArray envp;

    FCGX_Accept(&in, &out, &err, &envp);
    FCGX_PutS("lost", out);
    exit(0);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (dup2(listen_here(), 0) != 0)
        die("dup2");
    serve("exit()", by_exit);
    serve("exit() with a handler", by_exit_with_handler);
    serve("exit() after FCGI_Finish", by_exit_after_finish);
    serve("_exit()", by__exit);
    serve("exit() of a child", by_exit_of_a_child);
    serve("exit() after FCGX_Accept", by_exit_fcgx);
    return 0;
}
