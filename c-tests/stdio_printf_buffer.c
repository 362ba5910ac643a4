/*
 * FCGX_FPrintF on a stream that the program has built itself: the text is the same for any buffer
 * size, nothing is written past the buffer, and errors of the program's procedure are returned.
 */
#define NO_FCGI_DEFINES
#include "fcgi_client.h"

#include <fcgi_stdio.h>

#define GUARD 0x5a
#define MAX_BUFFER 64

static unsigned char memory[MAX_BUFFER + 16];
static size_t buffer_size;
static char collected[4096];
static size_t collected_length;

static void collect(struct FCGX_Stream *stream, int do_close)
{
    size_t length = (size_t)(stream->wrNext - memory);

    memcpy(collected + collected_length, memory, length);
    collected_length += length;
    stream->wrNext = memory;
    stream->isClosed |= do_close;
}

static void refuse(struct FCGX_Stream *stream, int do_close)
{
    (void)do_close;
    stream->isClosed = 1;
    stream->FCGI_errno = ENOSPC;
}

static FCGX_Stream built(size_t size, void (*empty)(struct FCGX_Stream *, int))
{
    FCGX_Stream stream;

    memset(&stream, 0, sizeof stream);
    memset(memory, GUARD, sizeof memory);
    buffer_size = size;
    collected_length = 0;
    stream.wrNext = stream.stopUnget = memory;
    stream.rdNext = stream.stop = memory + size;
    stream.emptyBuffProc = empty;
    return stream;
}

static int is_guard_intact(void)
{
    size_t i;

    for (i = buffer_size; i < sizeof memory; i++)
        if (memory[i] != GUARD)
            return 0;
    return 1;
}

static void every_size(void)
{
    size_t size;

    for (size = 1; size <= MAX_BUFFER; size++) {
        FCGX_Stream stream = built(size, collect);
        FCGI_FILE file = { NULL, NULL };
        int written;

        file.fcgx_stream = &stream;
        written = FCGX_FPrintF(&stream, "%s-%d|", "sixteen letters", 42);
        written += FCGI_fprintf(&file, "%c", 'x');
        written += FCGX_FPrintF(&stream, "%30d", 7);
        printf("%zu: %d, intact %d, inside %d, ", size, written, is_guard_intact(),
            stream.wrNext >= memory && stream.wrNext <= stream.stop);
        collect(&stream, 0);
        print_bytes((unsigned char *)collected, collected_length);
        printf("\n");
    }
}

static void failing(void)
{
    FCGX_Stream stream = built(16, refuse);

    printf("fits: %d\n", FCGX_FPrintF(&stream, "%s", "0123456789"));
    printf("does not fit: %d\n", FCGX_FPrintF(&stream, "%s", "0123456789"));
    printf("intact %d, closed %d, errno %d\n", is_guard_intact(), stream.isClosed, stream.FCGI_errno == ENOSPC);
    printf("afterwards: %d\n", FCGX_FPrintF(&stream, "%s", "x"));
}

static void without_procedures(void)
{
    FCGX_Stream stream = built(16, NULL);

    printf("fits: %d\n", FCGX_FPrintF(&stream, "%d", 12345));
    printf("intact %d\n", is_guard_intact());
    printf("written: %.5s\n", (char *)memory);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    every_size();
    failing();
    without_procedures();
    return 0;
}
