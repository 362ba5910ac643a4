/*
 * After a failed FCGI_Accept the standard streams are closed and environ is NULL. In the original
 * both still point into the previous request, which is freed.
 *
 * differs: NULL, and what is closed, foreign or impossible
 */
#define NO_FCGI_DEFINES
#include "fcgi_client.h"

#include <fcgi_stdio.h>

extern char **environ;

int main(void)
{
    int fd, i;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (dup2(listen_here(), 0) != 0)
        die("dup2");
    fd = request_here("");
    printf("FCGI_Accept: %d\n", FCGI_Accept());
    printf("puts: %d\n", FCGI_puts("written") >= 0);
    FCGX_ShutdownPending();
    printf("FCGI_Accept fails: %d\n", FCGI_Accept() < 0);
    for (i = 0; i < 3; i++)
        printf("stream %d: %d\n", i, FCGI_ToFcgiStream((&_fcgi_sF[i])) != NULL);
    printf("environ is NULL: %d\n", environ == NULL);
    printf("puts: %d\n", FCGI_puts("lost"));
    printf("getchar: %d\n", FCGI_getchar());
    FCGI_SetExitStatus(1);
    FCGI_Finish();
    print_reply(fd);
    return 0;
}
