/* FCGX_OpenSocket with a path: longest path, colons, stale and live socket files. */
#include "fcgi_client.h"

#include <sys/stat.h>

static void listens(const char *path)
{
    int sock = FCGX_OpenSocket(path, 5);
    struct stat status;
    int client = sock < 0 ? -1 : connect_to(path);

    printf("%.20s: socket file %d, connected %d\n", path,
           stat(path, &status) == 0 && S_ISSOCK(status.st_mode), client >= 0);
    close(client);
    close(sock);
}

int main(void)
{
    char longest[108];
    int first, second, client;
    FCGX_Request request;

    FCGX_Init();
    listens("plain");
    listens("plain");
    listens("with:colon");
    listens("./with:colon.sock");
    memset(longest, 'l', sizeof longest);
    longest[107] = '\0';
    listens(longest);

    first = FCGX_OpenSocket(SOCKET_PATH, 5);
    second = FCGX_OpenSocket(SOCKET_PATH, 5);
    printf("twice: two descriptors %d\n", first >= 0 && second >= 0 && first != second);
    FCGX_InitRequest(&request, second, 0);
    client = request_here("");
    printf("the second one has the path: accept %d\n", FCGX_Accept_r(&request));
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
