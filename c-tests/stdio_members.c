/*
 * FCGI_fread and FCGI_fwrite on streams, with members of every size and empty ones.
 */
#define NO_FCGI_DEFINES
#include "fcgi_client.h"

#include <fcgi_stdio.h>

#define STDIN (&_fcgi_sF[0])
#define STDOUT (&_fcgi_sF[1])

int main(void)
{
    static char large[60000];
    char text[64] = "0123456789";
    size_t i;
    int fd;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (dup2(listen_here(), 0) != 0)
        die("dup2");

    fd = request_here("abcdefghij");
    printf("FCGI_Accept: %d\n", FCGI_Accept());
    printf("fread of size 0: %zu\n", FCGI_fread(text, 0, 3, STDIN));
    printf("fread of 0 members: %zu\n", FCGI_fread(text, 3, 0, STDIN));
    printf("fwrite of size 0: %zu\n", FCGI_fwrite(text, 0, 3, STDOUT));
    printf("fwrite of 0 members: %zu\n", FCGI_fwrite(text, 3, 0, STDOUT));
    printf("fread from an output stream: %zu\n", FCGI_fread(text, 1, 3, STDOUT));
    printf("nothing was read: %.10s\n", text);
    printf("fread: %zu\n", FCGI_fread(text, 4, 1, STDIN));
    printf("fread past the end: %zu\n", FCGI_fread(text, 4, 2, STDIN));
    printf("the incomplete member: %.2s\n", text + 4);
    printf("fread at the end: %zu\n", FCGI_fread(text, 4, 2, STDIN));
    FCGI_Finish();
    print_reply(fd);

    fd = request_here("");
    printf("FCGI_Accept: %d\n", FCGI_Accept());
    for (i = 0; i < sizeof large; i++)
        large[i] = (char)('a' + i % 26);
    printf("fwrite: %zu\n", FCGI_fwrite(large, 1, 30000, STDOUT));
    printf("fwrite of large members: %zu\n", FCGI_fwrite(large, 15000, 2, STDOUT));
    printf("fwrite of a few: %zu\n", FCGI_fwrite(large, 1, 26, STDOUT));
    FCGI_Finish();
    print_reply(fd);
    return 0;
}
