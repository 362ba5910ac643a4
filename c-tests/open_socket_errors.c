/*
 * FCGX_OpenSocket returns errors: it does not end the process, and it deletes only sockets.
 * differs: `FCGX_OpenSocket` that fails
 */
#include "fcgi_client.h"

#include <sys/stat.h>

static void refused(const char *what, const char *path)
{
    printf("%s: %s", what, FCGX_OpenSocket(path, 5) == -1 ? "-1" : "a socket");
    printf(", errno %s\n", errno != 0 ? "set" : "not set");
    errno = 0;
}

int main(void)
{
    char too_long[109];
    struct stat status;
    FILE *file;

    memset(too_long, 'l', sizeof too_long);
    too_long[108] = '\0';
    errno = 0;
    FCGX_Init();
    refused("no such directory", "nowhere/socket");
    refused("longer than a socket's name can be", too_long);
    refused("a port that is none", ":65536");
    refused("a host that is none", "no.such.host.invalid:9000");
    file = fopen("precious", "w");
    fputs("data", file);
    fclose(file);
    refused("a file with contents", "precious");
    printf("the file is still there: %d\n", stat("precious", &status) == 0);
    mkdir("directory", 0700);
    refused("a directory", "directory");
    return 0;
}
