/*
 * A port number out of range is an error and does not select another port.
 * differs: Port above 65535
 */
#include "fcgi_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>

/* Returns a port that is free at the moment. */
static int free_port(void)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, length) != 0
        || getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        die("bind");
    close(fd);
    return ntohs(address.sin_port);
}

int main(void)
{
    char name[40];
    int sock;

    sprintf(name, "127.0.0.1:%d", 65536 + free_port());
    errno = 0;
    sock = FCGX_OpenSocket(name, 5);
    printf("%s, %s\n", sock < 0 ? "-1" : "a socket", strerror(errno));
    return 0;
}
