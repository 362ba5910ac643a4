-- The library's data: FCGI_stdin, FCGI_stdout and FCGI_stderr are elements of _fcgi_sF.
local ffi = require "ffi"

ffi.cdef [[
typedef struct { void *stdio_stream, *fcgx_stream; } FCGI_FILE;
extern FCGI_FILE _fcgi_sF[];
int FCGI_Accept(void);
size_t FCGI_fread(void *ptr, size_t size, size_t count, FCGI_FILE *file);
size_t FCGI_fwrite(const void *ptr, size_t size, size_t count, FCGI_FILE *file);
]]

local fcgi = ffi.load "fcgi"
local stdin, stdout, stderr = fcgi._fcgi_sF + 0, fcgi._fcgi_sF + 1, fcgi._fcgi_sF + 2
local room = ffi.new("char[?]", 4096)

local function write(file, text)
  fcgi.FCGI_fwrite(text, 1, #text, file)
end

local function write_header(header, name)
  local value = os.getenv(name)
  if value then
    write(stdout, header .. ": " .. value .. "\r\n")
  end
end

while fcgi.FCGI_Accept() >= 0 do
  write(stdout, "Content-Type: application/octet-stream\r\n")
  write_header("X-Method", "REQUEST_METHOD")
  write_header("X-Query", "QUERY_STRING")
  write_header("X-Empty", "EMPTY")
  write_header("X-Long", "LONG")
  write(stdout, "\r\n")
  repeat
    local length = fcgi.FCGI_fread(room, 1, ffi.sizeof(room), stdin)
    fcgi.FCGI_fwrite(room, 1, length, stdout)
  until length == 0
  write(stderr, "served\n")
end
