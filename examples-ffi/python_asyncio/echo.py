"""A FastCGI program on asyncio: many requests at a time in one thread."""

import asyncio
import sys

import fcgx

REQUESTS = 64


async def serve(request):
    env = dict(request.params())
    query = env.get(b"QUERY_STRING", b"")
    head = b"Content-Type: application/octet-stream\r\n"
    head += b"X-Method: %s\r\n" % env.get(b"REQUEST_METHOD", b"")
    head += b"X-Query: %s\r\nX-Params: %d\r\n" % (query, len(env))
    if query in env:
        head += b"X-Value: %s\r\n" % env[query]
    await request.write(head + b"\r\n")
    while piece := await request.read():
        await request.write(piece)
    await request.log(b"served by Python\n")
    await request.end(7 if query == b"status=7" else 0)


async def handle(request, pool):
    try:
        await serve(request)
    except OSError as error:
        print(error, file=sys.stderr)
    finally:
        pool.put_nowait(request)


async def main():
    pool = asyncio.Queue()
    for _ in range(REQUESTS):
        pool.put_nowait(fcgx.Request(0))
    descriptor = fcgx.check(fcgx.poll_descriptor(0))
    async with asyncio.TaskGroup() as tasks:
        while True:
            request = await pool.get()
            while not (result := request.next()):
                await fcgx.readable(descriptor)
            if result == fcgx.SHUT_DOWN:
                break
            tasks.create_task(handle(request, pool))


asyncio.run(main())
