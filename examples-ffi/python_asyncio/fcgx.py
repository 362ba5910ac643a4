"""<fcgi_request.h> for asyncio, on ctypes: requests that do not block."""

import asyncio
import ctypes
import errno
from ctypes import (POINTER, byref, c_char_p, c_int, c_size_t, c_ssize_t,
                    c_void_p)

TAKE_SIGNALS = 2
SHUT_DOWN = -10001
INFO_DESCRIPTOR = 4

lib = ctypes.CDLL("libfcgi.so.0")


def declare(name, result, *arguments):
    function = getattr(lib, "FCGX_" + name)
    function.restype, function.argtypes = result, arguments
    return function


error_text = declare("ErrorText", c_char_p, c_int)
poll_descriptor = declare("PollDescriptor", c_int, c_int)
request_new = declare("RequestNew", c_void_p, c_int, c_int)
request_set_nonblocking = declare("RequestSetNonblocking", c_int,
                                  c_void_p, c_int)
request_next = declare("RequestNext", c_int, c_void_p, c_int)
request_end = declare("RequestEnd", c_int, c_void_p, c_int)
request_info = declare("RequestInfo", c_int, c_void_p, c_int)
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


async def readable(descriptor):
    loop = asyncio.get_running_loop()
    await until(descriptor, loop.add_reader, loop.remove_reader)


async def writable(descriptor):
    loop = asyncio.get_running_loop()
    await until(descriptor, loop.add_writer, loop.remove_writer)


async def until(descriptor, watch, unwatch):
    ready = asyncio.Event()
    watch(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        unwatch(descriptor)


class Request:
    def __init__(self, socket):
        self.pointer = request_new(socket, TAKE_SIGNALS)
        check(request_set_nonblocking(self.pointer, 1))

    def next(self):
        """Return 1 for a request, 0 if there is none yet, or SHUT_DOWN."""
        result = request_next(self.pointer, 0)
        return result if result == SHUT_DOWN else check(result)

    def params(self):
        index, name, length = 0, c_size_t(), c_size_t()
        sizes = byref(name), byref(length)
        while text := request_param_at(self.pointer, index, *sizes):
            entry = ctypes.string_at(text, length.value)
            yield entry[:name.value], entry[name.value + 1:]
            index += 1

    async def read(self):
        buffer = ctypes.create_string_buffer(16384)
        count = await self.call(readable, request_read, buffer, len(buffer))
        return buffer.raw[:count]

    async def write(self, data, function=request_write):
        while data:
            data = data[await self.call(writable, function, data, len(data)):]

    async def log(self, text):
        await self.write(text, request_log)

    async def end(self, status):
        await self.call(writable, request_end, status)

    async def call(self, ready, function, *arguments):
        while (result := function(self.pointer, *arguments)) == -errno.EAGAIN:
            await ready(check(request_info(self.pointer, INFO_DESCRIPTOR)))
        return check(result)
