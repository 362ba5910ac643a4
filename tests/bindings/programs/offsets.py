"""FCGX_Request as so many bytes, fields by their offsets, and the library by the name for linking, libfcgi.so."""
import ctypes
from ctypes import c_char_p, c_int, c_void_p

SIZE = 80
IN, OUT, ERR, ENVP = 8, 16, 24, 32

fcgi = ctypes.CDLL("libfcgi.so")
fcgi.FCGX_InitRequest.argtypes = [c_void_p, c_int, c_int]
fcgi.FCGX_Accept_r.argtypes = fcgi.FCGX_Finish_r.argtypes = [c_void_p]
fcgi.FCGX_GetStr.argtypes = fcgi.FCGX_PutStr.argtypes = [c_char_p, c_int, c_void_p]


def field(request, offset):
    return c_void_p.from_buffer(request, offset).value


def params(request):
    """Returns the parameters: an array of pointers to NAME=VALUE that ends with NULL."""
    found, at = {}, field(request, ENVP)
    while (entry := c_char_p.from_address(at).value) is not None:
        name, _, value = entry.partition(b"=")
        found[name] = value
        at += ctypes.sizeof(c_void_p)
    return found


def put(stream, data):
    fcgi.FCGX_PutStr(data, len(data), stream)


def serve(request, room):
    headers = {b"X-Method": b"REQUEST_METHOD", b"X-Query": b"QUERY_STRING", b"X-Empty": b"EMPTY", b"X-Long": b"LONG"}
    given, out = params(request), field(request, OUT)
    put(out, b"Content-Type: application/octet-stream\r\n")
    for header, name in headers.items():
        if name in given:
            put(out, b"%s: %s\r\n" % (header, given[name]))
    put(out, b"\r\n")
    while (length := fcgi.FCGX_GetStr(room, len(room), field(request, IN))) > 0:
        put(out, room[:length])
    put(field(request, ERR), b"served\n")


fcgi.FCGX_Init()
request = (ctypes.c_char * SIZE)()
fcgi.FCGX_InitRequest(request, 0, 0)
while fcgi.FCGX_Accept_r(request) == 0:
    serve(request, ctypes.create_string_buffer(4096))
    fcgi.FCGX_Finish_r(request)
