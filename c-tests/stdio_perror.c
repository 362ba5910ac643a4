/*
 * FCGI_perror writes a whole line, as the C library's perror does.
 *
 * differs: `FCGI_perror`
 */
#define NO_FCGI_DEFINES
#include "fcgi_client.h"

#include <fcgi_stdio.h>

int main(void)
{
    static const int codes[] = { 0, ENOENT, EAGAIN, 99999, -1 };
    size_t i;
    int fd;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (dup2(listen_here(), 0) != 0)
        die("dup2");
    fd = request_here("");
    printf("FCGI_Accept: %d\n", FCGI_Accept());
    for (i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        errno = codes[i];
        FCGI_perror("program");
        printf("errno stays: %d\n", errno == codes[i]);
    }
    errno = ENOENT;
    FCGI_perror("");
    FCGI_perror(NULL);
    FCGI_fclose(&_fcgi_sF[2]);
    FCGI_perror("to a closed stream");
    FCGI_Finish();
    print_reply(fd);
    return 0;
}
