/* FCGX_CreateWriter: the web server's side of the protocol, on any descriptor. */
#include "fcgi_client.h"

int main(void)
{
    int pair[2], ends[2], i;
    char text[4000];
    FCGX_Stream *stream;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 || pipe(ends) != 0)
        die("socketpair");

    stream = FCGX_CreateWriter(pair[0], 5, 100, FCGI_PARAMS);
    printf("PutS %d", FCGX_PutS("\1\1AB", stream));
    printf(", FFlush %d\n", FCGX_FFlush(stream));
    print_arrived(pair[1]);
    printf("FClose %d\n", FCGX_FClose(stream));
    print_arrived(pair[1]);
    FCGX_FreeStream(&stream);
    printf("stream %s, descriptor open %d\n", stream == NULL ? "NULL" : "there",
           is_open(pair[0]));
    print_arrived(pair[1]);

    printf("more than the buffer holds, on a pipe\n");
    memset(text, 'x', sizeof text);
    stream = FCGX_CreateWriter(ends[1], 300, 512, FCGI_STDIN);
    for (i = 0; i < 5; i++)
        FCGX_PutStr(text, sizeof text, stream);
    FCGX_FClose(stream);
    FCGX_FreeStream(&stream);
    print_arrived(ends[0]);

    printf("freed without being closed\n");
    stream = FCGX_CreateWriter(pair[0], 1, 8192, FCGI_DATA);
    FCGX_PutS("never sent", stream);
    FCGX_FreeStream(&stream);
    print_arrived(pair[1]);
    FCGX_FreeStream(&stream);

    printf("room for at least something: ");
    for (i = -1; i < 40; i += 8) {
        stream = FCGX_CreateWriter(pair[0], 1, i, FCGI_STDIN);
        printf("%d", stream != NULL && stream->stop > stream->wrNext);
        FCGX_FreeStream(&stream);
    }
    stream = FCGX_CreateWriter(pair[0], 1, 10000000, FCGI_STDIN);
    printf("%d\n", stream != NULL && stream->stop - stream->wrNext <= FCGI_MAX_LENGTH);
    FCGX_FreeStream(&stream);

    printf("a descriptor that is none\n");
    stream = FCGX_CreateWriter(9999, 1, 8192, FCGI_STDIN);
    printf("PutS %d", FCGX_PutS("x", stream));
    printf(", FFlush %d", FCGX_FFlush(stream));
    printf(", error %d, closed %d", FCGX_GetError(stream) == EBADF, stream->isClosed);
    printf(", FClose %d\n", FCGX_FClose(stream));
    FCGX_FreeStream(&stream);
    return 0;
}
