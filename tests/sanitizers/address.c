/*
 * Breaks the contract on purpose: a vector of parameters without the NULL at its end. The library
 * reads behind it, which AddressSanitizer must see.
 */
#include <fcgiapp.h>

#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    char **envp = malloc(sizeof *envp);
    char *found;

    envp[0] = "A=1";
    found = FCGX_GetParam("B", envp);
    printf("went on, %s\n", found == NULL ? "nothing found" : found);
    free(envp);
    return 0;
}
