/*
 * FCGX_FPrintF of floating-point numbers of all sizes, with hundreds and thousands of digits.
 * differs: `FCGX_FPrintF`, `FCGI_printf` and their family
 */
#include "fcgi_client.h"
#include <float.h>

int main(void)
{
    FCGX_Request request;
    int client;

    FCGX_InitRequest(&request, listen_here(), 0);
    client = request_here("");
    FCGX_Accept_r(&request);
    printf("%d\n", FCGX_FPrintF(request.out, "%.300f %g %e|", 1e300, DBL_MIN, -DBL_MAX));
    printf("%d\n", FCGX_FPrintF(request.out, "%f %.1000f|", DBL_MAX, DBL_MIN));
    printf("%d\n", FCGX_FPrintF(request.out, "%Lf %.5000Lf|", LDBL_MAX, LDBL_MIN));
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
