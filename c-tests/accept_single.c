/* FCGX_Accept: the global request on descriptor 0, and the state after a failed call. */
#include "fcgi_client.h"

static void pointers(FCGX_Stream *in, FCGX_Stream *out, FCGX_Stream *err)
{
    printf("in %d out %d err %d\n", in != NULL, out != NULL, err != NULL);
}

int main(void)
{
    FCGX_Stream *in, *out, *err;
    FCGX_ParamArray envp;
    int client, i;
    char line[20];

    close(0);
    in = out = err = (FCGX_Stream *)line;
    printf("accept without a socket fails %d\n", FCGX_Accept(&in, &out, &err, &envp) < 0);
    pointers(in, out, err);
    printf("OpenSocket %d\n", FCGX_OpenSocket(SOCKET_PATH, 5));
    for (i = 0; i < 2; i++) {
        client = request_here("name\n");
        printf("accept %d\n", FCGX_Accept(&in, &out, &err, &envp));
        pointers(in, out, err);
        printf("%s %s\n", envp[0], FCGX_GetParam("SCRIPT_NAME", envp));
        FCGX_FPrintF(out, "Hello, %s", FCGX_GetLine(line, sizeof line, in));
        if (i == 0)
            FCGX_SetExitStatus(3, out);
        else
            FCGX_SetExitStatus(0, out);
        FCGX_Finish();
        FCGX_Finish();
        print_reply(client);
    }
    FCGX_ShutdownPending();
    printf("accept after ShutdownPending fails %d\n", FCGX_Accept(&in, &out, &err, &envp) < 0);
    pointers(in, out, err);
    return 0;
}
