/*
 * A program's own procedures around those of the streams, for counting or changing bytes. The
 * functions that need a stream of a request still recognise the stream.
 */
#include "fcgi_client.h"

static void (*fill)(FCGX_Stream *stream);
static void (*empty)(FCGX_Stream *stream, int close);
static int fills, empties;

static void own_fill(FCGX_Stream *stream)
{
    fills++;
    fill(stream);
}

static void own_empty(FCGX_Stream *stream, int close)
{
    empties++;
    empty(stream, close);
}

static void wrap_writer(FCGX_Stream *stream)
{
    empty = stream->emptyBuffProc;
    stream->emptyBuffProc = own_empty;
}

static void get(const char *what, FCGX_Stream *in)
{
    char text[50];
    int got = FCGX_GetStr(text, sizeof text, in);

    printf("%s: %d \"%.*s\"\n", what, got, got, text);
}

int main(void)
{
    FCGX_Request request;
    FCGX_Stream *writer;
    int client, ends[2];
    char record[40];

    FCGX_InitRequest(&request, listen_here(), 0);
    client = connect_here();
    send_head(client, 1, FCGI_FILTER, 0);
    send_text(client, FCGI_STDIN, 1, "standard input");
    send_end(client, FCGI_STDIN, 1);
    send_text(client, FCGI_DATA, 1, "the file");
    send_end(client, FCGI_DATA, 1);
    send_no_more(client);
    FCGX_Accept_r(&request);
    fill = request.in->fillBuffProc;
    request.in->fillBuffProc = own_fill;
    wrap_writer(request.out);

    get("stdin", request.in);
    printf("StartFilterData %d\n", FCGX_StartFilterData(request.in));
    get("data", request.in);
    FCGX_PutS("filtered", request.out);
    FCGX_SetExitStatus(7, request.out);
    printf("status %d\n", request.appStatus);
    FCGX_SetExitStatus(8, request.in);
    printf("status %d\n", request.appStatus);
    FCGX_Finish_r(&request);
    print_reply(client);
    printf("fills %d, empties %d\n", fills > 0, empties > 0);

    if (pipe(ends) != 0)
        die("pipe");
    writer = FCGX_CreateWriter(ends[1], 3, 100, FCGI_STDIN);
    wrap_writer(writer);
    FCGX_SetExitStatus(9, writer);
    FCGX_PutS("abc", writer);
    FCGX_FClose(writer);
    if (read(ends[0], record, sizeof record) > 0)
        printf("written: type %d, id %d, %.3s\n", record[1], record[3], record + FCGI_HEADER_LEN);
    FCGX_FreeStream(&writer);
    printf("freed %d\n", writer == NULL);
    return 0;
}
