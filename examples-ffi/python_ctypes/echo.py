"""A FastCGI program on ctypes: answers with its parameters and the body."""

import ctypes
import sys
from ctypes import (POINTER, byref, c_char_p, c_int, c_size_t, c_ssize_t,
                    c_void_p)

TAKE_SIGNALS = 2
SHUT_DOWN = -10001

lib = ctypes.CDLL("libfcgi.so.0")


def declare(name, result, *arguments):
    function = getattr(lib, "FCGX_" + name)
    function.restype, function.argtypes = result, arguments
    return function


error_text = declare("ErrorText", c_char_p, c_int)
request_new = declare("RequestNew", c_void_p, c_int, c_int)
request_next = declare("RequestNext", c_int, c_void_p, c_int)
request_end = declare("RequestEnd", c_int, c_void_p, c_int)
request_param_at = declare("RequestParamAt", c_void_p, c_void_p, c_size_t,
                           POINTER(c_size_t), POINTER(c_size_t))
request_read = declare("RequestRead", c_ssize_t, c_void_p, c_char_p, c_size_t)
request_write = declare("RequestWrite", c_ssize_t, c_void_p, c_char_p,
                        c_size_t)
request_log = declare("RequestLog", c_ssize_t, c_void_p, c_char_p, c_size_t)


def check(result):
    if result < 0:
        raise OSError(result, error_text(result).decode())
    return result


def params(request):
    index, name, length = 0, c_size_t(), c_size_t()
    while text := request_param_at(request, index, byref(name), byref(length)):
        entry = ctypes.string_at(text, length.value)
        yield entry[:name.value], entry[name.value + 1:]
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
    check(request_write(request, head, len(head)))
    while count := check(request_read(request, buffer, len(buffer))):
        check(request_write(request, buffer, count))
    line = b"served by Python\n"
    check(request_log(request, line, len(line)))
    check(request_end(request, 7 if query == b"status=7" else 0))


def main():
    request = request_new(0, TAKE_SIGNALS)
    buffer = ctypes.create_string_buffer(65536)
    while (result := request_next(request, -1)) != SHUT_DOWN:
        check(result)
        try:
            serve(request, buffer)
        except OSError as error:
            print(error, file=sys.stderr)


main()
