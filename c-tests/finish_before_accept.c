/*
 * FCGX_Finish before the first request closes no descriptor of the program.
 * differs: `FCGX_Finish` before any Accept
 */
#include "fcgi_client.h"

int main(void)
{
    int standard_input = open("/dev/null", O_RDONLY);

    dup2(standard_input, 0);
    FCGX_Finish();
    printf("descriptor 0 is open: %d\n", is_open(0));
    FCGX_Init();
    FCGX_Finish();
    printf("descriptor 0 is open: %d\n", is_open(0));
    return 0;
}
