## Serves the listen socket on descriptor 0: answers with parameters and the body.

import std/[strformat, tables]

const header = "<fcgi_request.h>"

type
  Request {.importc: "struct FCGX_Request", header: header, incompleteStruct.} = object
  FcgiError = object of IOError

var
  ShutDown {.importc: "FCGX_SHUT_DOWN", header: header.}: cint
  TakeSignals {.importc: "FCGX_TAKE_SIGNALS", header: header.}: cint

proc errorText(code: cint): cstring {.importc: "FCGX_ErrorText", header: header.}
proc newRequest(socket, flags: cint): ptr Request {.importc: "FCGX_RequestNew", header: header.}
proc free(r: ptr Request) {.importc: "FCGX_RequestFree", header: header.}
proc next(r: ptr Request, timeout: cint): cint {.importc: "FCGX_RequestNext", header: header.}
proc finish(r: ptr Request, status: cint): cint {.importc: "FCGX_RequestEnd", header: header.}
proc paramAt(r: ptr Request, index: csize_t, name, length: ptr csize_t): cstring
  {.importc: "FCGX_RequestParamAt", header: header.}
proc read(r: ptr Request, buffer: pointer, size: csize_t): int {.importc: "FCGX_RequestRead", header: header.}
proc write(r: ptr Request, data: pointer, size: csize_t): int {.importc: "FCGX_RequestWrite", header: header.}
proc log(r: ptr Request, text: pointer, size: csize_t): int {.importc: "FCGX_RequestLog", header: header.}

proc check(code: int): int {.discardable.} =
  ## Raises what a negative result means.
  if code < 0:
    raise newException(FcgiError, $errorText(cint(code)))
  code

proc params(r: ptr Request): Table[string, string] =
  var index, name, length: csize_t
  while true:
    let entry = r.paramAt(index, addr name, addr length)
    if entry.isNil:
      break
    var text = newString(length)
    copyMem(addr text[0], entry, length)
    result[text[0 ..< int(name)]] = text[int(name) + 1 .. ^1]
    inc index

proc serve(r: ptr Request) =
  let env = r.params
  let query = env.getOrDefault("QUERY_STRING")
  var head = "Content-Type: application/octet-stream\r\n"
  head.add &"X-Method: {env.getOrDefault(\"REQUEST_METHOD\")}\r\nX-Query: {query}\r\nX-Params: {env.len}\r\n"
  if query in env:
    head.add &"X-Value: {env[query]}\r\n"
  head.add "\r\n"
  check r.write(addr head[0], csize_t(head.len))

  var piece {.global.}: array[65536, byte]
  while (let size = check r.read(addr piece, csize_t(piece.len)); size > 0):
    check r.write(addr piece, csize_t(size))

  var line = "served by Nim\n"
  check r.log(addr line[0], csize_t(line.len))
  check r.finish(if query == "status=7": 7 else: 0)

proc main() =
  let request = newRequest(0, TakeSignals)
  if request.isNil:
    raise newException(OutOfMemDefect, "out of memory")
  defer: request.free()
  while (let got = request.next(-1); got != ShutDown):
    check got
    try:
      request.serve()
    except FcgiError as error:
      stderr.writeLine "echo: ", error.msg

main()
