/* Reads the settings. */
#include <fcgiapp.h>

int main(void)
{
    return FCGX_Init();
}
