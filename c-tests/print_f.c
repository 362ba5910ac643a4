/* FCGX_FPrintF and FCGX_VFPrintF: ordinary formats, and output longer than any buffer. */
#include "fcgi_client.h"

static int through_va_list(FCGX_Stream *out, const char *format, ...)
{
    va_list arguments;
    int written;

    va_start(arguments, format);
    written = FCGX_VFPrintF(out, format, arguments);
    va_end(arguments);
    return written;
}

int main(void)
{
    FCGX_Request request;
    char *large = malloc(40001);
    int client;

    memset(large, 'x', 40000);
    large[40000] = '\0';
    FCGX_InitRequest(&request, listen_here(), 0);
    client = request_here("");
    FCGX_Accept_r(&request);
    printf("%d", FCGX_FPrintF(request.out, "plain "));
    printf(" %d", FCGX_FPrintF(request.out, "%s%c%% ", "text", '!'));
    printf(" %d", FCGX_FPrintF(request.out, "%d %5d %-5d| %05d %+d ", -42, 42, 42, 42, 42));
    printf(" %d", FCGX_FPrintF(request.out, "%u %x %X %#x %o ", 7u, 255u, 255u, 255u, 8u));
    printf(" %d", FCGX_FPrintF(request.out, "%ld %lu %hd ", -1234567890L, 4000000000UL, 12));
    printf(" %d", FCGX_FPrintF(request.out, "%.3s %10s %-10s| ", "abcdef", "right", "left"));
    printf(" %d", FCGX_FPrintF(request.out, "%f %.2f %e %g ", 1.5, 2.345, 12345.678, 0.0001));
    printf(" %d", FCGX_FPrintF(request.out, "%*d %.*s ", 6, 42, 2, "abc"));
    printf(" %d", FCGX_FPrintF(request.out, "%s", ""));
    printf(" %d\n", through_va_list(request.out, "%s is %d", "va_list", 1));
    FCGX_Finish_r(&request);
    print_reply(client);

    client = request_here("");
    FCGX_Accept_r(&request);
    printf("%d\n", FCGX_FPrintF(request.out, "<%s>", large));
    FCGX_Finish_r(&request);
    print_reply(client);

    client = request_here("");
    FCGX_Accept_r(&request);
    printf("%d\n", FCGX_FPrintF(request.err, "<%s>", large));
    FCGX_Finish_r(&request);
    print_reply(client);
    free(large);
    return 0;
}
