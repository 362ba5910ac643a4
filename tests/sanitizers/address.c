/*
 * Breaks the contract on purpose: a vector of parameters has no NULL at its end. The library reads
 * past it, and AddressSanitizer must report that.
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
