/* fcgi_request.h: a request from beginning to end, and what each function returns for bad arguments. */
#include "request.h"

static void without_a_request(struct FCGX_Request *r)
{
    char byte;

    show("Read", FCGX_RequestRead(r, &byte, 1));
    show("Write", FCGX_RequestWrite(r, "x", 1));
    show("Log", FCGX_RequestLog(r, "x", 1));
    show("Flush", FCGX_RequestFlush(r));
    show("End", FCGX_RequestEnd(r, 3));
    show("Gone", FCGX_RequestGone(r));
    show("Abort", FCGX_RequestAbort(r));
    show("Info", FCGX_RequestInfo(r, FCGX_INFO_ROLE));
    printf("Param %d, ParamAt %d, Stream %d\n", FCGX_RequestParam(r, "SCRIPT_NAME", NULL) != NULL,
           FCGX_RequestParamAt(r, 0, NULL, NULL) != NULL,
           FCGX_RequestStream(r, FCGX_STREAM_OUT) != NULL);
}

static void print_parameters(struct FCGX_Request *r)
{
    size_t index, name, length;
    const char *entry;

    for (index = 0; (entry = FCGX_RequestParamAt(r, index, &name, &length)) != NULL; index++) {
        printf("%lu/%lu ", (unsigned long)name, (unsigned long)length);
        print_bytes((const unsigned char *)entry, length);
        printf("%s\n", entry[length] == '\0' ? "" : " without NUL");
    }
}

static void send_parameters(int client)
{
    char *large = malloc(70000);

    memset(large, 'v', 70000);
    send_begin(client, 7, FCGI_RESPONDER, FCGI_KEEP_CONN);
    send_pair(client, 7, "SCRIPT_NAME", "/test");
    send_pair(client, 7, "EMPTY", "");
    send_pair_bytes(client, 7, "NULS", 4, "a\0b\0", 4);
    send_pair_bytes(client, 7, "LARGE", 5, large, 60000);
    send_pair_bytes(client, 7, "B\xc3\xa4", 3, "\xff=\x80", 3);
    send_pair(client, 7, "EMPTY", "second");
    send_end(client, FCGI_PARAMS, 7);
    send_text(client, FCGI_STDIN, 7, "first ");
    send_text(client, FCGI_STDIN, 7, "second");
    send_end(client, FCGI_STDIN, 7);
    free(large);
}

static void serve(struct FCGX_Request *r, int client)
{
    char body[64];
    size_t length = 99;
    const char *value;
    long n;

    printf("role %d, id %d, keep %d, descriptor %d\n", FCGX_RequestInfo(r, FCGX_INFO_ROLE),
           FCGX_RequestInfo(r, FCGX_INFO_ID), FCGX_RequestInfo(r, FCGX_INFO_KEEP),
           FCGX_RequestInfo(r, FCGX_INFO_DESCRIPTOR) > 2);
    show("unknown fact", FCGX_RequestInfo(r, 99));
    print_parameters(r);
    value = FCGX_RequestParam(r, "NULS", &length);
    printf("NULS has %lu bytes, the third is %c\n", (unsigned long)length, value[2]);
    value = FCGX_RequestParam(r, "EMPTY", &length);
    printf("EMPTY \"%s\" has %lu\n", value, (unsigned long)length);
    value = FCGX_RequestParam(r, "SCRIPT", &length);
    printf("missing: %d, has %lu\n", value != NULL, (unsigned long)length);
    show("size 0", FCGX_RequestRead(r, NULL, 0));
    show("no buffer", FCGX_RequestRead(r, NULL, 1));
    while ((n = FCGX_RequestRead(r, body, sizeof body)) > 0)
        printf("%ld bytes: \"%.*s\"\n", n, (int)n, body);
    show("the end", n);
    show("again", FCGX_RequestRead(r, body, 1));
    show("Write", FCGX_RequestWrite(r, "Content-Type: text/plain\r\n\r\n", 28));
    show("nothing", FCGX_RequestWrite(r, NULL, 0));
    show("no data", FCGX_RequestWrite(r, NULL, 1));
    show("too much", FCGX_RequestWrite(r, "", (size_t)-1));
    show("Log", FCGX_RequestLog(r, "a line\n", 7));
    show("Flush", FCGX_RequestFlush(r));
    FCGX_FPrintF(FCGX_RequestStream(r, FCGX_STREAM_OUT), "through the stream, %d", 42);
    printf("no such stream: %d\n", FCGX_RequestStream(r, 3) == NULL);
    show("End", FCGX_RequestEnd(r, 7));
    print_request_reply(client);
}

int main(void)
{
    struct FCGX_Request *r;
    int listen, client;

    printf("level %d, %s\n", FCGX_ApiLevel() == FCGX_API_LEVEL,
           strncmp(FCGX_Version(), "libfcgi-rs ", 11) == 0 ? "libfcgi-rs" : FCGX_Version());
    show("no address", FCGX_Listen(NULL, 5));
    printf("nowhere: %s\n", FCGX_ErrorText(FCGX_Listen("no/where", 5)));
    printf("%s; %s; %s; %s\n", FCGX_ErrorText(0), FCGX_ErrorText(FCGX_SHUT_DOWN),
           FCGX_ErrorText(-EMFILE), FCGX_ErrorText(-9998));
    printf("unknown flag: %d\n", FCGX_RequestNew(0, 4) == NULL);
    printf("NULL:\n");
    without_a_request(NULL);
    show("Next", FCGX_RequestNext(NULL, 0));
    FCGX_RequestCancel(NULL);
    FCGX_RequestFree(NULL);

    listen = FCGX_Listen(SOCKET_PATH, 5);
    r = FCGX_RequestNew(listen, 0);
    printf("before the first:\n");
    without_a_request(r);
    client = connect_here();
    send_parameters(client);
    show("Next", FCGX_RequestNext(r, -1));
    serve(r, client);
    printf("between two:\n");
    without_a_request(r);

    /* With another structure on the same kept connection; without End. */
    FCGX_RequestFree(r);
    r = FCGX_RequestNew(listen, 0);
    send_kept(client, 8);
    show("Next", FCGX_RequestNext(r, PATIENCE_MS));
    FCGX_RequestWrite(r, "not ended", 9);
    show("Next", FCGX_RequestNext(r, 0));
    printf("abandoned by the next wait:\n");
    print_reply(client);
    client = request_here("");
    show("Next", FCGX_RequestNext(r, PATIENCE_MS));
    FCGX_RequestWrite(r, "not ended", 9);
    FCGX_RequestFree(r);
    printf("abandoned by Free:\n");
    print_reply(client);

    r = FCGX_RequestNew(1234, 0);
    show("no listen socket", FCGX_RequestNext(r, 0));
    FCGX_RequestFree(r);
    return 0;
}
