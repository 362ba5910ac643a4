// The C++ library comes first, then the FastCGI meaning of the names.
#include <cstdio>
#include <iostream>
#include <fastcgi/fcgi_stdio.h>
#include <fastcgi/fcgiapp.h>

int serve(FILE *file);

int serve(FILE *file)
{
    return printf("x") + fputs("x", file);
}
