/*
 * environ belongs to the request from FCGI_Accept to FCGI_Finish. Programs change it in every way
 * and modify its strings in place; the next request sees none of these changes.
 */
#define NO_FCGI_DEFINES
#include "fcgi_client.h"

#include <fcgi_stdio.h>

extern char **environ;

static void show_environ(void)
{
    char **entry;

    if (environ == NULL) {
        printf("  environ is NULL\n");
        return;
    }
    for (entry = environ; *entry != NULL; entry++)
        printf("  %s\n", *entry);
}

static int accepted(const char *title, int role)
{
    int fd = connect_here();

    send_begin(fd, 1, role, 0);
    send_pair(fd, 1, "SCRIPT_NAME", "/test");
    send_pair(fd, 1, "QUERY_STRING", "a=b&c=d");
    send_pair(fd, 1, "SCRIPT_NAME", "/again");
    send_pair(fd, 1, "EMPTY", "");
    send_end(fd, FCGI_PARAMS, 1);
    send_end(fd, FCGI_STDIN, 1);
    if (role == FCGI_FILTER)
        send_end(fd, FCGI_DATA, 1);
    send_no_more(fd);
    printf("\n%s\nFCGI_Accept: %d\n", title, FCGI_Accept());
    return fd;
}

static void finish(int fd)
{
    FCGI_Finish();
    print_reply(fd);
}

int main(void)
{
    static char own[] = "OWN=string";
    char *query;
    int fd, next;

    setvbuf(stdout, NULL, _IOLBF, 0);
    setenv("OF_THE_PROCESS", "1", 1);
    if (dup2(listen_here(), 0) != 0)
        die("dup2");

    fd = accepted("untouched", FCGI_RESPONDER);
    show_environ();
    printf("of the process: %d\n", getenv("OF_THE_PROCESS") != NULL);
    finish(fd);
    printf("after FCGI_Finish\n");
    show_environ();
    printf("getenv: %d\n", getenv("SCRIPT_NAME") != NULL);

    fd = accepted("strings cut in place", FCGI_AUTHORIZER);
    query = getenv("QUERY_STRING");
    *strchr(query, '&') = '\0';
    printf("%s, and %s\n", query, query + 4);
    show_environ();
    finish(fd);

    fd = accepted("changed", FCGI_FILTER);
    printf("setenv: %d\n", setenv("NEW", "value", 1));
    printf("setenv over: %d\n", setenv("QUERY_STRING", "longer than it was before, by far", 1));
    printf("putenv: %d\n", putenv(own));
    printf("unsetenv: %d\n", unsetenv("EMPTY"));
    show_environ();
    finish(fd);

    printf("\nset between requests\n");
    printf("setenv: %d\n", setenv("BETWEEN", "1", 1));
    show_environ();

    fd = accepted("the next request", FCGI_RESPONDER);
    show_environ();
    setenv("NEW", "value", 1);
    next = accepted("accepted over an unfinished one", FCGI_RESPONDER);
    show_environ();
    print_reply(fd);
    finish(next);
    return 0;
}
