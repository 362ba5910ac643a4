-- A FastCGI program on LuaJIT's ffi: answers with its parameters and the body.

local ffi = require "ffi"

ffi.cdef [[
enum { FCGX_TAKE_SIGNALS = 2, FCGX_SHUT_DOWN = -10001 };
typedef struct FCGX_Request FCGX_Request;
const char *FCGX_ErrorText(int result);
FCGX_Request *FCGX_RequestNew(int socket, int flags);
int FCGX_RequestNext(FCGX_Request *, int timeout);
int FCGX_RequestEnd(FCGX_Request *, int status);
const char *FCGX_RequestParamAt(const FCGX_Request *, size_t index, size_t *name, size_t *length);
ptrdiff_t FCGX_RequestRead(FCGX_Request *, void *buffer, size_t size);
ptrdiff_t FCGX_RequestWrite(FCGX_Request *, const void *data, size_t size);
ptrdiff_t FCGX_RequestLog(FCGX_Request *, const void *text, size_t size);
]]
local fcgi = ffi.load "libfcgi.so.0"

local SIZE = 65536
local buffer = ffi.new("char[?]", SIZE)
local name, length = ffi.new "size_t[1]", ffi.new "size_t[1]"

local function check(result)
  result = tonumber(result)
  if result < 0 then
    error(ffi.string(fcgi.FCGX_ErrorText(result)), 0)
  end
  return result
end

local function params(request)
  local found, count = {}, 0
  local entry = fcgi.FCGX_RequestParamAt(request, count, name, length)
  while entry ~= nil do
    local text = ffi.string(entry, length[0])
    local cut = tonumber(name[0])
    found[text:sub(1, cut)] = text:sub(cut + 2)
    count = count + 1
    entry = fcgi.FCGX_RequestParamAt(request, count, name, length)
  end
  return found, count
end

local function serve(request)
  local env, count = params(request)
  local query = env.QUERY_STRING or ""
  local head = "Content-Type: application/octet-stream\r\n"
    .. "X-Method: " .. (env.REQUEST_METHOD or "") .. "\r\n"
    .. "X-Query: " .. query .. "\r\nX-Params: " .. count .. "\r\n"
  if env[query] then
    head = head .. "X-Value: " .. env[query] .. "\r\n"
  end
  head = head .. "\r\n"
  check(fcgi.FCGX_RequestWrite(request, head, #head))
  local got = check(fcgi.FCGX_RequestRead(request, buffer, SIZE))
  while got > 0 do
    check(fcgi.FCGX_RequestWrite(request, buffer, got))
    got = check(fcgi.FCGX_RequestRead(request, buffer, SIZE))
  end
  local line = "served by LuaJIT\n"
  check(fcgi.FCGX_RequestLog(request, line, #line))
  check(fcgi.FCGX_RequestEnd(request, query == "status=7" and 7 or 0))
end

local request = fcgi.FCGX_RequestNew(0, fcgi.FCGX_TAKE_SIGNALS)
local result = fcgi.FCGX_RequestNext(request, -1)
while result ~= fcgi.FCGX_SHUT_DOWN do
  check(result)
  local done, message = pcall(serve, request)
  if not done then
    io.stderr:write(message, "\n")
  end
  result = fcgi.FCGX_RequestNext(request, -1)
end
