/* A structure for each request, owned by a smart pointer, and never FCGX_Free. */
#include <fcgiapp.h>

#include <memory>

namespace {

void put_header(const FCGX_Request &request, const char *header, const char *name)
{
    if (const char *value = FCGX_GetParam(name, request.envp))
        FCGX_FPrintF(request.out, "%s: %s\r\n", header, value);
}

void serve(const FCGX_Request &request)
{
    FCGX_PutS("Content-Type: application/octet-stream\r\n", request.out);
    put_header(request, "X-Method", "REQUEST_METHOD");
    put_header(request, "X-Query", "QUERY_STRING");
    put_header(request, "X-Empty", "EMPTY");
    if (const char *value = FCGX_GetParam("LONG", request.envp)) {
        FCGX_PutS("X-Long: ", request.out);
        FCGX_PutS(value, request.out);
        FCGX_PutS("\r\n", request.out);
    }
    FCGX_PutS("\r\n", request.out);

    char room[4096];
    int length;
    while ((length = FCGX_GetStr(room, sizeof room, request.in)) > 0)
        FCGX_PutStr(room, length, request.out);
    FCGX_PutS("served\n", request.err);
}

bool serve_one()
{
    const auto request = std::make_unique<FCGX_Request>();

    FCGX_InitRequest(request.get(), 0, 0);
    if (FCGX_Accept_r(request.get()) != 0)
        return false;
    serve(*request);
    FCGX_Finish_r(request.get());
    return true;
}

} // namespace

int main()
{
    FCGX_Init();
    while (serve_one())
        ;
}
