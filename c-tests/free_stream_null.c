/*
 * FCGX_FreeStream with NULL does nothing.
 * differs: `FCGX_FreeStream(NULL)`
 */
#include "fcgi_client.h"

int main(void)
{
    FCGX_Stream *none = NULL;

    FCGX_FreeStream(&none);
    FCGX_FreeStream(NULL);
    printf("still here\n");
    return 0;
}
