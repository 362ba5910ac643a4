/* A program's own type may be called Params. */
#include <fcgiapp.h>

typedef struct Params {
    int x;
} Params;

int serve(FCGX_Request *request, Params *params);

int serve(FCGX_Request *request, Params *params)
{
    return FCGX_Accept_r(request) + params->x;
}
