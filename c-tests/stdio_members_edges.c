/*
 * FCGI_fread and FCGI_fwrite where the original is wrong: streams that fail, and sizes beyond an
 * int.
 *
 * differs: Error when writing
 * differs: `FCGI_fread` of more than `INT_MAX` bytes
 */
#define NO_FCGI_DEFINES
#include "fcgi_client.h"

#include <limits.h>
#include <stdint.h>
#include <sys/mman.h>

#include <fcgi_stdio.h>

#define STDIN (&_fcgi_sF[0])
#define STDOUT (&_fcgi_sF[1])

int main(void)
{
    char text[64] = "0123456789";
    size_t size = (size_t)INT_MAX + 1, result;
    char *large = mmap(NULL, size, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int fd;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (dup2(listen_here(), 0) != 0)
        die("dup2");
    fd = request_here("abcdefghij");
    printf("FCGI_Accept: %d\n", FCGI_Accept());

    if (large == MAP_FAILED)
        die("mmap");
    printf("fread of INT_MAX + 1: %zu\n", FCGI_fread(large, 1, size, STDIN));
    printf("read: %s\n", large);
    errno = 0;
    result = FCGI_fread(text, SIZE_MAX, 2, STDIN);
    printf("fread of more than there can be: %zu, %s\n", result, strerror(errno));
    errno = 0;
    result = FCGI_fwrite(text, SIZE_MAX, 2, STDOUT);
    printf("fwrite of more than there can be: %zu, %s\n", result, strerror(errno));

    printf("fwrite to an input stream: %zu\n", FCGI_fwrite(text, 1, 3, STDIN));
    printf("fwrite of threes to an input stream: %zu\n", FCGI_fwrite(text, 3, 1, STDIN));
    FCGX_FClose(FCGI_ToFcgiStream(STDOUT));
    printf("fwrite to a closed stream: %zu\n", FCGI_fwrite(text, 1, 3, STDOUT));
    printf("fwrite of pairs to a closed stream: %zu\n", FCGI_fwrite(text, 2, 3, STDOUT));
    FCGI_fclose(STDOUT);
    printf("fwrite to a closed FCGI_FILE: %zu\n", FCGI_fwrite(text, 1, 3, STDOUT));
    FCGI_fclose(STDIN);
    printf("fread from a closed FCGI_FILE: %zu\n", FCGI_fread(text, 1, 3, STDIN));
    FCGI_Finish();
    print_reply(fd);
    return 0;
}
