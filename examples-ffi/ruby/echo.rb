# frozen_string_literal: true

# A FastCGI program on Fiddle: answers with its parameters and the body.

require 'fiddle/import'

# The functions of <fcgi_request.h> that are used here.
module FCGX
  extend Fiddle::Importer
  dlload 'libfcgi.so.0'
  extern 'const char *FCGX_ErrorText(int)'
  extern 'void *FCGX_RequestNew(int, int)'
  extern 'int FCGX_RequestNext(void *, int)'
  extern 'int FCGX_RequestEnd(void *, int)'
  extern 'const char *FCGX_RequestParamAt(void *, size_t, size_t *, size_t *)'
  extern 'ptrdiff_t FCGX_RequestRead(void *, void *, size_t)'
  extern 'ptrdiff_t FCGX_RequestWrite(void *, const void *, size_t)'
  extern 'ptrdiff_t FCGX_RequestLog(void *, const void *, size_t)'

  TAKE_SIGNALS = 2
  SHUT_DOWN = -10_001

  class Error < StandardError; end

  def self.check(result)
    raise Error, FCGX_ErrorText(result).to_s if result.negative?

    result
  end

  def self.params(request)
    width = Fiddle::SIZEOF_SIZE_T
    sizes = Fiddle::Pointer.malloc(2 * width, Fiddle::RUBY_FREE)
    (0..).each_with_object({}) do |index, found|
      entry = FCGX_RequestParamAt(request, index, sizes, sizes + width)
      return found if entry.null?

      name, length = sizes[0, 2 * width].unpack('J2')
      found[entry[0, name]] = entry[name + 1, length - name - 1]
    end
  end
end

def head(env, query)
  lines = ['Content-Type: application/octet-stream', "X-Method: #{env['REQUEST_METHOD']}",
           "X-Query: #{query}", "X-Params: #{env.size}"]
  lines << "X-Value: #{env[query]}" if env.key?(query)
  lines.map { |line| "#{line}\r\n".b }.join << "\r\n"
end

def echo(request, buffer)
  while (count = FCGX.check(FCGX.FCGX_RequestRead(request, buffer, buffer.size))).positive?
    FCGX.check(FCGX.FCGX_RequestWrite(request, buffer, count))
  end
end

def serve(request, buffer)
  env = FCGX.params(request)
  query = env.fetch('QUERY_STRING', '')
  head = head(env, query)
  FCGX.check(FCGX.FCGX_RequestWrite(request, head, head.bytesize))
  echo(request, buffer)
  line = "served by Ruby\n"
  FCGX.check(FCGX.FCGX_RequestLog(request, line, line.bytesize))
  FCGX.check(FCGX.FCGX_RequestEnd(request, query == 'status=7' ? 7 : 0))
end

request = FCGX.FCGX_RequestNew(0, FCGX::TAKE_SIGNALS)
buffer = Fiddle::Pointer.malloc(65_536, Fiddle::RUBY_FREE)
until (result = FCGX.FCGX_RequestNext(request, -1)) == FCGX::SHUT_DOWN
  FCGX.check(result)
  begin
    serve(request, buffer)
  rescue FCGX::Error => e
    warn e.message
  end
end
