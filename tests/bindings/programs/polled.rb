# Waits for the listen socket by IO.select, so that other threads of Ruby go on, before it calls Accept.
require "fiddle/import"

module FCGX
  extend Fiddle::Importer
  dlload "libfcgi.so.0"

  Request = struct [
    "int requestId", "int role", "void* in", "void* out", "void* err", "void* envp", "void* paramsPtr",
    "int ipcFd", "int isBeginProcessed", "int keepConnection", "int appStatus", "int nWriters",
    "int flags", "int listen_sock", "int detached"
  ]

  extern "int FCGX_Init()"
  extern "int FCGX_InitRequest(void*, int, int)"
  extern "int FCGX_Accept_r(void*)"
  extern "void FCGX_Finish_r(void*)"
  extern "int FCGX_GetStr(void*, int, void*)"
  extern "int FCGX_PutStr(void*, int, void*)"
  extern "void* FCGX_GetParam(void*, void*)"
end

ROOM = Fiddle::Pointer.malloc(4096, Fiddle::RUBY_FREE)

def put(stream, text)
  FCGX.FCGX_PutStr(text, text.bytesize, stream)
end

def put_header(request, header, name)
  value = FCGX.FCGX_GetParam(name, request.envp)
  put(request.out, "#{header}: ".b + value.to_s.b + "\r\n") unless value.null?
end

def serve(request)
  put(request.out, "Content-Type: application/octet-stream\r\n")
  put_header(request, "X-Method", "REQUEST_METHOD")
  put_header(request, "X-Query", "QUERY_STRING")
  put_header(request, "X-Empty", "EMPTY")
  put_header(request, "X-Long", "LONG")
  put(request.out, "\r\n")
  while (length = FCGX.FCGX_GetStr(ROOM, ROOM.size, request.in)).positive?
    FCGX.FCGX_PutStr(ROOM, length, request.out)
  end
  put(request.err, "served\n")
end

FCGX.FCGX_Init
request = FCGX::Request.malloc(Fiddle::RUBY_FREE)
FCGX.FCGX_InitRequest(request, 0, 0)
listen_socket = IO.for_fd(0, autoclose: false)
while IO.select([listen_socket]) && FCGX.FCGX_Accept_r(request).zero?
  serve(request)
  FCGX.FCGX_Finish_r(request)
end
