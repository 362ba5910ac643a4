/* The public fields of FCGX_Stream are correct after every call. */
#include "fcgi_client.h"

static void reader(const char *after, const FCGX_Stream *in)
{
    printf("%s: in %ld ahead, isReader %d isClosed %d wasFCloseCalled %d FCGI_errno %d, %s, %s\n",
           after, (long)(in->stop - in->rdNext), in->isReader, in->isClosed, in->wasFCloseCalled,
           in->FCGI_errno, in->stopUnget <= in->rdNext ? "unget room behind" : "no unget room",
           in->fillBuffProc != NULL && in->emptyBuffProc == NULL ? "fills" : "odd procedures");
}

static void writer(const char *after, const FCGX_Stream *out, const unsigned char *start)
{
    printf("%s: out %ld written, room %s, isReader %d isClosed %d wasFCloseCalled %d FCGI_errno %d, "
           "%s, %s\n",
           after, (long)(out->wrNext - start), out->wrNext < out->stop ? "left" : "none",
           out->isReader, out->isClosed, out->wasFCloseCalled, out->FCGI_errno,
           out->rdNext == out->stop ? "nothing to read" : "something to read",
           out->emptyBuffProc != NULL && out->fillBuffProc == NULL ? "empties" : "odd procedures");
}

int main(void)
{
    FCGX_Request request;
    FCGX_Stream *in, *out;
    unsigned char *start;
    char text[20];
    int client;

    FCGX_InitRequest(&request, listen_here(), 0);
    client = request_here("one\ntwo\nthree\n");
    FCGX_Accept_r(&request);
    in = request.in;
    out = request.out;

    /* The library may or may not have received a part of the body already. */
    printf("accept: isReader %d isClosed %d FCGI_errno %d\n", in->isReader, in->isClosed,
           in->FCGI_errno);
    FCGX_GetChar(in);
    reader("GetChar", in);
    FCGX_UnGetChar('o', in);
    reader("UnGetChar", in);
    FCGX_GetStr(text, 4, in);
    reader("GetStr", in);
    FCGX_GetLine(text, 20, in);
    reader("GetLine", in);
    FCGX_GetStr(text, 20, in);
    reader("GetStr at the end", in);
    FCGX_StartFilterData(in);
    reader("StartFilterData", in);
    FCGX_ClearError(in);
    reader("ClearError", in);
    FCGX_FClose(in);
    reader("FClose", in);

    start = out->wrNext;
    writer("accept", out, start);
    FCGX_PutChar('a', out);
    writer("PutChar", out, start);
    FCGX_PutStr("bcd", 3, out);
    writer("PutStr", out, start);
    FCGX_PutS("ef", out);
    writer("PutS", out, start);
    FCGX_FPrintF(out, "%d", 789);
    writer("FPrintF", out, start);
    FCGX_FFlush(out);
    writer("FFlush", out, start);
    FCGX_PutS("rest", out);
    FCGX_FClose(out);
    printf("FClose: isClosed %d wasFCloseCalled %d, nothing left %d\n", out->isClosed,
           out->wasFCloseCalled, out->wrNext == out->stop && out->rdNext == out->stop);
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
