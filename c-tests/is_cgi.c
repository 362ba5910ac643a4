/* FCGX_IsCGI checks descriptor 0 in every call until it has found FastCGI. */
#include "fcgi_client.h"

int main(void)
{
    printf("not a socket: %d\n", FCGX_IsCGI());
    close(0);
    printf("closed: %d\n", FCGX_IsCGI());
    printf("OpenSocket %d\n", FCGX_OpenSocket(SOCKET_PATH, 5));
    printf("listening: %d\n", FCGX_IsCGI());
    close(0);
    printf("closed again: %d\n", FCGX_IsCGI());
    return 0;
}
