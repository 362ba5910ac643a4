"""A FastCGI program on cffi: answers with its parameters and the body."""

import sys

from cffi import FFI

ffi = FFI()
ffi.cdef("""
    #define FCGX_TAKE_SIGNALS 2
    #define FCGX_SHUT_DOWN -10001
    typedef struct FCGX_Request FCGX_Request;
    const char *FCGX_ErrorText(int result);
    FCGX_Request *FCGX_RequestNew(int socket, int flags);
    int FCGX_RequestNext(FCGX_Request *, int timeout);
    int FCGX_RequestEnd(FCGX_Request *, int status);
    const char *FCGX_RequestParamAt(const FCGX_Request *, size_t index,
                                    size_t *name, size_t *length);
    ptrdiff_t FCGX_RequestRead(FCGX_Request *, void *buffer, size_t size);
    ptrdiff_t FCGX_RequestWrite(FCGX_Request *, const void *data, size_t size);
    ptrdiff_t FCGX_RequestLog(FCGX_Request *, const void *text, size_t size);
""")
lib = ffi.dlopen("libfcgi.so.0")


def check(result):
    if result < 0:
        text = ffi.string(lib.FCGX_ErrorText(result))
        raise OSError(result, text.decode())
    return result


def params(request):
    index, name, length = 0, ffi.new("size_t *"), ffi.new("size_t *")
    while text := lib.FCGX_RequestParamAt(request, index, name, length):
        entry = ffi.unpack(text, length[0])
        yield entry[:name[0]], entry[name[0] + 1:]
        index += 1


def serve(request, buffer):
    env = dict(params(request))
    query = env.get(b"QUERY_STRING", b"")
    head = b"Content-Type: application/octet-stream\r\n"
    head += b"X-Method: %s\r\n" % env.get(b"REQUEST_METHOD", b"")
    head += b"X-Query: %s\r\nX-Params: %d\r\n" % (query, len(env))
    if query in env:
        head += b"X-Value: %s\r\n" % env[query]
    head += b"\r\n"
    check(lib.FCGX_RequestWrite(request, head, len(head)))
    while count := check(lib.FCGX_RequestRead(request, buffer, len(buffer))):
        check(lib.FCGX_RequestWrite(request, buffer, count))
    line = b"served by Python\n"
    check(lib.FCGX_RequestLog(request, line, len(line)))
    check(lib.FCGX_RequestEnd(request, 7 if query == b"status=7" else 0))


def main():
    request = lib.FCGX_RequestNew(0, lib.FCGX_TAKE_SIGNALS)
    buffer = ffi.new("char[]", 65536)
    while (result := lib.FCGX_RequestNext(request, -1)) != lib.FCGX_SHUT_DOWN:
        check(result)
        try:
            serve(request, buffer)
        except OSError as error:
            print(error, file=sys.stderr)


main()
