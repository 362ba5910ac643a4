// With NO_FCGI_DEFINES the header works together with the C++ library's, in either order.
#ifdef CSTDIO_FIRST
#include <cstdio>
#endif
#define NO_FCGI_DEFINES
#include <fcgi_config.h>
#include <fcgi_stdio.h>
#include <cstdio>
#include <iostream>

int serve(std::FILE *file);

int serve(std::FILE *file)
{
    std::fputs("x", file);
    std::cout << "x";
    return FCGI_puts("x") + FCGI_fflush(FCGI_stdout);
}
