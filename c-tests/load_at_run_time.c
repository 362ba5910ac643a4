/* The library opened with dlopen; the program itself is not linked to it. */
#include "fcgi_client.h"

#include <dlfcn.h>

static void *library;

static void *find(const char *name)
{
    void *symbol = dlsym(library, name);

    if (symbol == NULL)
        die(name);
    return symbol;
}

int main(void)
{
    int (*init)(void), (*open_socket)(const char *, int), (*put)(const char *, FCGX_Stream *);
    int (*init_request)(FCGX_Request *, int, int), (*accept_request)(FCGX_Request *);
    void (*finish)(FCGX_Request *);
    FCGX_Request request;
    int client;

    printf("already there: %d\n", dlsym(RTLD_DEFAULT, "FCGX_Init") != NULL);
    library = dlopen("libfcgi.so.0", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        die(dlerror());
    *(void **)&init = find("FCGX_Init");
    *(void **)&open_socket = find("FCGX_OpenSocket");
    *(void **)&init_request = find("FCGX_InitRequest");
    *(void **)&accept_request = find("FCGX_Accept_r");
    *(void **)&put = find("FCGX_PutS");
    *(void **)&finish = find("FCGX_Finish_r");
    find("_fcgi_sF");

    init();
    init_request(&request, open_socket(SOCKET_PATH, 5), 0);
    client = request_here("");
    printf("accept %d\n", accept_request(&request));
    put("loaded at run time", request.out);
    finish(&request);
    print_reply(client);
    return 0;
}
