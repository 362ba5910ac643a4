/* Streams that the program builds itself, with its own buffers and procedures. */
#include "fcgi_client.h"

static unsigned char in_buffer[4], out_buffer[8];
static char sink[200];
static int fills, sink_length;

static void fill(FCGX_Stream *stream)
{
    fills++;
    if (fills > 3) {
        stream->isClosed = 1;
        stream->rdNext = stream->stop;
        return;
    }
    memcpy(in_buffer, "ab\nd", 4);
    stream->rdNext = in_buffer;
    stream->stop = in_buffer + 4;
}

static void empty(FCGX_Stream *stream, int do_close)
{
    int n = (int)(stream->wrNext - out_buffer);

    memcpy(sink + sink_length, out_buffer, (size_t)n);
    sink_length += n;
    stream->wrNext = out_buffer;
    if (do_close) {
        printf("[closing]");
        stream->isClosed = 1;
        stream->wrNext = stream->stop = stream->rdNext;
    }
}

static void read_it(void)
{
    FCGX_Stream stream;
    char text[20];
    int got;

    memset(&stream, 0, sizeof stream);
    stream.isReader = 1;
    stream.fillBuffProc = fill;
    got = FCGX_GetStr(text, 6, &stream);
    printf("GetStr %d after %d fills: ", got, fills);
    print_bytes((unsigned char *)text, (size_t)got);
    printf("\nUnGetChar %c", FCGX_UnGetChar('Q', &stream));
    printf(" GetChar %c\n", FCGX_GetChar(&stream));
    while (FCGX_GetLine(text, 20, &stream) != NULL) {
        printf("GetLine ");
        print_bytes((unsigned char *)text, strlen(text));
        printf(" after %d fills\n", fills);
    }
    printf("end: %d", FCGX_GetChar(&stream));
    printf(", closed %d", stream.isClosed);
    printf(", FClose %d\n", FCGX_FClose(&stream));
}

static void write_it(void)
{
    FCGX_Stream stream;

    memset(&stream, 0, sizeof stream);
    stream.emptyBuffProc = empty;
    stream.wrNext = out_buffer;
    stream.rdNext = stream.stop = out_buffer + sizeof out_buffer;
    printf("PutS %d\n", FCGX_PutS("hello, world", &stream));
    printf("FPrintF %d\n", FCGX_FPrintF(&stream, " %d %s", 12345, "a longer text"));
    printf("PutChar %c\n", FCGX_PutChar('!', &stream));
    printf("FFlush %d", FCGX_FFlush(&stream));
    printf(": %.*s\n", sink_length, sink);
    printf("FClose %d", FCGX_FClose(&stream));
    printf(", wasFCloseCalled %d\n", stream.wasFCloseCalled);
}

static void read_memory(void)
{
    unsigned char text[] = "in memory";
    FCGX_Stream stream;
    char out[10];

    memset(&stream, 0, sizeof stream);
    stream.isReader = 1;
    stream.rdNext = stream.stopUnget = text;
    stream.stop = text + 9;
    printf("no procedures: GetChar %c", FCGX_GetChar(&stream));
    printf(" GetStr %d", FCGX_GetStr(out, 4, &stream));
    printf(" %.4s", out);
    printf(" UnGetChar %c\n", FCGX_UnGetChar('x', &stream));
}

int main(void)
{
    read_it();
    write_it();
    read_memory();
    return 0;
}
