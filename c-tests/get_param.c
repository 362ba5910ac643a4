/* FCGX_GetParam: only whole names, the first match, any NULL-terminated array. The program may
 * change the strings in place. */
#include "fcgi_client.h"

static void look(const char *name, char **envp)
{
    const char *value = FCGX_GetParam(name, envp);

    printf("%s: %s\n", name == NULL ? "(no name)" : name, value == NULL ? "(none)" : value);
}

int main(void)
{
    char ab[] = "AB=one", a[] = "A=two", abc[] = "ABC=three", again[] = "A=four";
    char empty[] = "EMPTY=", bare[] = "BARE", nameless[] = "=nameless";
    char *array[] = { ab, a, abc, again, empty, bare, NULL };
    char *more[] = { empty, nameless, NULL };
    char *nothing[] = { NULL };
    FCGX_Request request;
    int client;

    look("A", array);
    look("AB", array);
    look("ABC", array);
    look("ABCD", array);
    look("a", array);
    look("EMPTY", array);
    look("BARE", array);
    look("A=", array);
    look("", array);
    look(NULL, array);
    look("", more);
    look("A", nothing);
    look("A", NULL);

    FCGX_InitRequest(&request, listen_here(), 0);
    client = request_here("");
    FCGX_Accept_r(&request);
    look("FCGI_ROLE", request.envp);
    look("SCRIPT_NAME", request.envp);
    FCGX_GetParam("SCRIPT_NAME", request.envp)[0] = '\\';
    look("SCRIPT_NAME", request.envp);
    *strchr(request.envp[1], '=') = '\0';
    look("SCRIPT_NAME", request.envp);
    request.envp[0] = NULL;
    look("FCGI_ROLE", request.envp);
    FCGX_Finish_r(&request);
    print_reply(client);
    return 0;
}
