"""FCGX_Request declared without its last field, `detached`, and FCGX_Finish_r with a result."""
import ctypes
from ctypes import POINTER, c_char_p, c_int, c_void_p

fcgi = ctypes.CDLL("libfcgi.so.0")


class Request(ctypes.Structure):
    _fields_ = [
        ("requestId", c_int),
        ("role", c_int),
        ("in_", c_void_p),
        ("out", c_void_p),
        ("err", c_void_p),
        ("envp", POINTER(c_char_p)),
        ("paramsPtr", c_void_p),
        ("ipcFd", c_int),
        ("isBeginProcessed", c_int),
        ("keepConnection", c_int),
        ("appStatus", c_int),
        ("nWriters", c_int),
        ("flags", c_int),
        ("listen_sock", c_int),
    ]


fcgi.FCGX_InitRequest.argtypes = [POINTER(Request), c_int, c_int]
fcgi.FCGX_Accept_r.argtypes = fcgi.FCGX_Finish_r.argtypes = [POINTER(Request)]
fcgi.FCGX_GetStr.argtypes = fcgi.FCGX_PutStr.argtypes = [c_char_p, c_int, c_void_p]
fcgi.FCGX_GetParam.argtypes = [c_char_p, POINTER(c_char_p)]
fcgi.FCGX_GetParam.restype = c_char_p


def put(stream, data):
    fcgi.FCGX_PutStr(data, len(data), stream)


def put_header(request, header, name):
    value = fcgi.FCGX_GetParam(name, request.envp)
    if value is not None:
        put(request.out, b"%s: %s\r\n" % (header, value))


def serve(request, room):
    put(request.out, b"Content-Type: application/octet-stream\r\n")
    put_header(request, b"X-Method", b"REQUEST_METHOD")
    put_header(request, b"X-Query", b"QUERY_STRING")
    put_header(request, b"X-Empty", b"EMPTY")
    put_header(request, b"X-Long", b"LONG")
    put(request.out, b"\r\n")
    while (length := fcgi.FCGX_GetStr(room, len(room), request.in_)) > 0:
        put(request.out, room[:length])
    put(request.err, b"served\n")


fcgi.FCGX_Init()
request = Request()
fcgi.FCGX_InitRequest(request, 0, 0)
while fcgi.FCGX_Accept_r(request) == 0:
    serve(request, ctypes.create_string_buffer(4096))
    fcgi.FCGX_Finish_r(request)
