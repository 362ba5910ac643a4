/// Serves the listen socket on descriptor 0: answers with parameters and the body.
module echo;

import std.exception : enforce;
import std.format : format;
import std.stdio : stderr;
import std.string : fromStringz;

extern (C) nothrow @nogc
{
    struct FCGX_Request;
    enum FCGX_SHUT_DOWN = -10_001;
    enum FCGX_TAKE_SIGNALS = 2;

    const(char)* FCGX_ErrorText(int result);
    FCGX_Request* FCGX_RequestNew(int socket, int flags);
    void FCGX_RequestFree(FCGX_Request* request);
    int FCGX_RequestNext(FCGX_Request* request, int timeout);
    int FCGX_RequestEnd(FCGX_Request* request, int status);
    const(char)* FCGX_RequestParamAt(const FCGX_Request* request, size_t index, size_t* name, size_t* length);
    ptrdiff_t FCGX_RequestRead(FCGX_Request* request, void* buffer, size_t size);
    ptrdiff_t FCGX_RequestWrite(FCGX_Request* request, const void* data, size_t size);
    ptrdiff_t FCGX_RequestLog(FCGX_Request* request, const void* text, size_t size);
}

/// Throws what a negative result means.
ptrdiff_t checked(ptrdiff_t result)
{
    enforce(result >= 0, FCGX_ErrorText(cast(int) result).fromStringz);
    return result;
}

string[string] params(const FCGX_Request* request)
{
    string[string] found;
    size_t index, name, length;
    while (auto entry = FCGX_RequestParamAt(request, index++, &name, &length))
        found[entry[0 .. name].idup] = entry[name + 1 .. length].idup;
    return found;
}

void write(FCGX_Request* request, const(char)[] data)
{
    checked(FCGX_RequestWrite(request, data.ptr, data.length));
}

void serve(FCGX_Request* request)
{
    const env = params(request);
    const query = env.get("QUERY_STRING", "");
    write(request, "Content-Type: application/octet-stream\r\nX-Method: " ~ env.get("REQUEST_METHOD", ""));
    write(request, "\r\nX-Query: " ~ query ~ format!"\r\nX-Params: %d\r\n"(env.length));
    if (auto value = query in env)
        write(request, "X-Value: " ~ *value ~ "\r\n");
    write(request, "\r\n");

    char[65_536] piece = void;
    while (const size = checked(FCGX_RequestRead(request, piece.ptr, piece.length)))
        write(request, piece[0 .. size]);

    static immutable line = "served by D\n";
    checked(FCGX_RequestLog(request, line.ptr, line.length));
    checked(FCGX_RequestEnd(request, query == "status=7" ? 7 : 0));
}

void main()
{
    auto request = enforce(FCGX_RequestNew(0, FCGX_TAKE_SIGNALS), "out of memory");
    scope (exit)
        FCGX_RequestFree(request);
    for (int next; (next = FCGX_RequestNext(request, -1)) != FCGX_SHUT_DOWN;)
    {
        checked(next);
        try
            serve(request);
        catch (Exception error)
            stderr.writeln("echo: ", error.msg);
    }
}
