/* Situations for streams of requests or of the program, and for places that hold a stream. */
#ifndef STREAMS_H
#define STREAMS_H

#include "edges.h"

static unsigned char own_buffer[8];
static char own_data[512];
static int fills, empties, closes;
static FCGX_Stream own;

static inline void own_fill(FCGX_Stream *stream)
{
    if (fills++ > 0) {
        stream->isClosed = 1;
        return;
    }
    memcpy(own_buffer, "own\nlast", 8);
    stream->rdNext = stream->stopUnget = own_buffer;
    stream->wrNext = stream->stop = own_buffer + 8;
}

static inline void own_empty(FCGX_Stream *stream, int do_close)
{
    empties++;
    closes += do_close != 0;
    stream->wrNext = own_buffer;
    stream->rdNext = stream->stop = own_buffer + (do_close ? 0 : 8);
    stream->isClosed = do_close;
}

static inline long own_stream(int is_reader, int has_procs, int bytes)
{
    own.isReader = is_reader;
    own.data = own_data;
    own.rdNext = own.wrNext = own.stop = own.stopUnget = own_buffer;
    if (is_reader)
        own.wrNext = own.stop = own_buffer + bytes;
    else
        own.rdNext = own.stop = own_buffer + bytes;
    memset(own_buffer, 'o', sizeof own_buffer);
    if (has_procs && is_reader)
        own.fillBuffProc = own_fill;
    else if (has_procs)
        own.emptyBuffProc = own_empty;
    return (long)&own;
}

static inline long own_reader(void) { return own_stream(1, 1, 0); }
static inline long own_reader_closed(void) { FCGX_FClose((FCGX_Stream *)own_reader()); return (long)&own; }
static inline long own_writer(void) { return own_stream(0, 1, 8); }
static inline long own_writer_closed(void) { FCGX_FClose((FCGX_Stream *)own_writer()); return (long)&own; }
static inline long own_reader_bare(void) { return own_stream(1, 0, 4); }
static inline long own_reader_bare_empty(void) { return own_stream(1, 0, 0); }
static inline long own_writer_bare(void) { return own_stream(0, 0, 4); }
static inline long own_writer_bare_full(void) { return own_stream(0, 0, 0); }
static inline long stream_zeroed(void) { return (long)&own; }

static inline FCGX_Stream *read_to_its_end(FCGX_Stream *stream)
{
    char text[100];

    FCGX_GetStr(text, sizeof text, stream);
    return stream;
}

static inline long stream_in(void) { return (long)responder()->in; }
static inline long stream_out(void) { return (long)responder()->out; }
static inline long stream_err(void) { return (long)responder()->err; }
static inline long stream_in_read(void) { FCGX_GetChar(responder()->in); return (long)one_request.in; }
static inline long stream_in_ended(void) { return (long)read_to_its_end(responder()->in); }
static inline long stream_in_closed(void) { FCGX_FClose(responder()->in); return (long)one_request.in; }
static inline long stream_in_filter(void) { return (long)accepted(FCGI_FILTER, 0)->in; }
static inline long stream_in_filter_ended(void) { return (long)read_to_its_end(accepted(FCGI_FILTER, 0)->in); }
static inline long stream_out_written(void) { FCGX_PutS("abc", responder()->out); return (long)one_request.out; }
static inline long stream_out_closed(void) { FCGX_FClose(responder()->out); return (long)one_request.out; }
static inline long stream_err_closed(void) { FCGX_FClose(responder()->err); return (long)one_request.err; }

/* Returns a stream whose connection ends in the middle of the body. */
static inline long stream_in_failed(void)
{
    int pair[2];

    FCGX_Init();
    pair_of_sockets(pair);
    send_head(pair[1], 1, FCGI_RESPONDER, 0);
    send_text(pair[1], FCGI_STDIN, 1, "abc");
    close(pair[1]);
    fresh(-1)->ipcFd = pair[0];
    one_request.keepConnection = 1;
    if (FCGX_Accept_r(&one_request) != 0)
        die("FCGX_Accept_r");
    return (long)read_to_its_end(one_request.in);
}

static inline long stream_out_failed(void)
{
    FCGX_Stream *out = responder()->out;

    close(peer);
    peer = -1;
    FCGX_PutS("abc", out);
    FCGX_FFlush(out);
    return (long)out;
}

static inline FCGX_Stream *created(void)
{
    int pair[2];

    pair_of_sockets(pair);
    peer = pair[1];
    return FCGX_CreateWriter(pair[0], 1, 512, FCGI_STDIN);
}

static inline long stream_created(void)
{
    FCGX_Stream *stream = created();

    FCGX_PutS("abc", stream);
    return (long)stream;
}

static inline long stream_created_closed(void)
{
    FCGX_Stream *stream = created();

    FCGX_FClose(stream);
    return (long)stream;
}

static inline long stream_created_on_nothing(void)
{
    FCGX_Stream *stream = FCGX_CreateWriter(-1, 1, 512, FCGI_STDIN);

    FCGX_PutS("abc", stream);
    return (long)stream;
}

static const struct situation streams[] = {
    { "NULL", NULL, 0 },
    { "in", stream_in, 0 },
    { "in-begun", stream_in_read, 0 },
    { "in-ended", stream_in_ended, 0 },
    { "in-failed", stream_in_failed, 0 },
    { "in-closed", stream_in_closed, 0 },
    { "in-of-filter", stream_in_filter, 0 },
    { "in-of-filter-ended", stream_in_filter_ended, 0 },
    { "out", stream_out, 0 },
    { "out-written", stream_out_written, 0 },
    { "out-failed", stream_out_failed, 0 },
    { "out-closed", stream_out_closed, 0 },
    { "err", stream_err, 0 },
    { "err-closed", stream_err_closed, 0 },
    { "created", stream_created, 0 },
    { "created-closed", stream_created_closed, 0 },
    { "created-on-nothing", stream_created_on_nothing, 0 },
    { "zeroed", stream_zeroed, 0 },
    { "own-reader", own_reader, 0 },
    { "own-reader-closed", own_reader_closed, 0 },
    { "own-reader-bare", own_reader_bare, 0 },
    { "own-reader-bare-empty", own_reader_bare_empty, 0 },
    { "own-writer", own_writer, 0 },
    { "own-writer-closed", own_writer_closed, 0 },
    { "own-writer-bare", own_writer_bare, 0 },
    { "own-writer-bare-full", own_writer_bare_full, 0 },
    { NULL, NULL, 0 }
};

static inline void about_stream(const FCGX_Stream *stream)
{
    if (stream == NULL)
        return;
    say("; closed %d %d, error %d", stream->isClosed, stream->wasFCloseCalled, stream->FCGI_errno);
    if (stream->isReader)
        say(", ahead %d", (int)(stream->stop - stream->rdNext));
    if (stream->isReader && !stream->isClosed)
        say(", back %d", stream->rdNext > stream->stopUnget);
    if (fills + empties + closes > 0)
        say(", fills %d empties %d closes %d", fills, empties, closes);
    if (one_request.appStatus != 0)
        say(", status %d", one_request.appStatus);
}

/* Places that hold a stream. */
static FCGX_Stream *one_stream;

static inline long place_of_null(void) { return (long)&one_stream; }
static inline long place_of_created(void) { one_stream = (FCGX_Stream *)stream_created(); return (long)&one_stream; }
static inline long place_of_created_closed(void) { one_stream = (FCGX_Stream *)stream_created_closed(); return (long)&one_stream; }

static const struct situation stream_places[] = {
    { "NULL", NULL, 0 },
    { "of-NULL", place_of_null, 0 },
    { "of-created", place_of_created, 0 },
    { "of-created-closed", place_of_created_closed, 0 },
    { NULL, NULL, 0 }
};

static inline void about_place(void *place)
{
    if (place != NULL)
        say("; place %s", *(void **)place == NULL ? "NULL" : "set");
}

static void *out_places[4] = { own_data, own_data, own_data, own_data };
static int out_places_used;

static inline long out_place(void) { return (long)&out_places[out_places_used++]; }

static const struct situation outlets[] = {
    { "NULL", NULL, 0 },
    { "place", out_place, 0 },
    { NULL, NULL, 0 }
};

#endif
