/* %n stores the number of bytes written so far, even from a format in writable memory. */
#include "fcgi_client.h"
#define NO_FCGI_DEFINES
#include <fcgi_stdio.h>

/* The value that %n has stored, 0 at first. */
static int stored;

static int through_list(FCGI_FILE *file, FCGX_Stream *stream, const char *format, ...)
{
    va_list list;
    int written;

    va_start(list, format);
    if (stream != NULL)
        written = FCGX_VFPrintF(stream, format, list);
    else if (file != NULL)
        written = FCGI_vfprintf(file, format, list);
    else
        written = FCGI_vprintf(format, list);
    va_end(list);
    return written;
}

static void tell(const char *function, int written)
{
    printf("%s %d, stored %d\n", function, written, stored);
    stored = -1;
}

int main(void)
{
    char format[] = "ab%n-%s";
    FCGX_Stream *out;
    int sock = listen_here(), client;

    client = request_here("");
    if (dup2(sock, 0) != 0 || FCGI_Accept() != 0)
        die("FCGI_Accept");
    out = FCGI_stdout->fcgx_stream;
    tell("FCGX_FPrintF", FCGX_FPrintF(out, format, &stored, "c"));
    tell("FCGX_VFPrintF", through_list(NULL, out, format, &stored, "c"));
    tell("FCGI_fprintf", FCGI_fprintf(FCGI_stdout, format, &stored, "c"));
    tell("FCGI_vfprintf", through_list(FCGI_stdout, NULL, format, &stored, "c"));
    tell("FCGI_printf", FCGI_printf(format, &stored, "c"));
    tell("FCGI_vprintf", through_list(NULL, NULL, format, &stored, "c"));
    FCGI_Finish();
    print_reply(client);
    return 0;
}
