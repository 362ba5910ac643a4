# Serves the listen socket on descriptor 0: answers with parameters and the body.

@[Link("fcgi")]
lib LibFCGI
  SHUT_DOWN    = -10001
  TAKE_SIGNALS =      2

  type Request = Void*

  fun error_text = FCGX_ErrorText(result : Int32) : UInt8*
  fun request_new = FCGX_RequestNew(socket : Int32, flags : Int32) : Request
  fun request_free = FCGX_RequestFree(request : Request)
  fun request_next = FCGX_RequestNext(request : Request, timeout : Int32) : Int32
  fun request_end = FCGX_RequestEnd(request : Request, status : Int32) : Int32
  fun request_param_at = FCGX_RequestParamAt(request : Request, index : LibC::SizeT, name : LibC::SizeT*, length : LibC::SizeT*) : UInt8*
  fun request_read = FCGX_RequestRead(request : Request, buffer : UInt8*, size : LibC::SizeT) : LibC::SSizeT
  fun request_write = FCGX_RequestWrite(request : Request, data : UInt8*, size : LibC::SizeT) : LibC::SSizeT
  fun request_log = FCGX_RequestLog(request : Request, text : UInt8*, size : LibC::SizeT) : LibC::SSizeT
end

# A request, or the place for the next one: the body to read, the response to write.
class Request < IO
  def initialize(socket)
    @request = LibFCGI.request_new(socket, LibFCGI::TAKE_SIGNALS)
    raise Error.new("out of memory") if @request.null?
  end

  def finalize
    LibFCGI.request_free(@request)
  end

  # Returns false when the program should end.
  def next? : Bool
    result = LibFCGI.request_next(@request, -1)
    result != LibFCGI::SHUT_DOWN && check(result) == 1
  end

  def params : Hash(String, String)
    params = {} of String => String
    (0..).each do |index|
      entry = LibFCGI.request_param_at(@request, index, out name, out length)
      return params if entry.null?
      params[String.new(entry, name)] = String.new(entry + name + 1, length - name - 1)
    end
    params
  end

  def read(slice : Bytes)
    check(LibFCGI.request_read(@request, slice, slice.size)).to_i32
  end

  def write(slice : Bytes) : Nil
    check(LibFCGI.request_write(@request, slice, slice.size))
  end

  def log(text : String)
    check(LibFCGI.request_log(@request, text, text.bytesize))
  end

  def finish(status : Int32)
    check(LibFCGI.request_end(@request, status))
  end

  # Raises what a negative result means.
  private def check(result)
    raise Error.new(String.new(LibFCGI.error_text(result.to_i32))) if result < 0
    result
  end
end

def serve(request : Request)
  params = request.params
  query = params.fetch("QUERY_STRING", "")
  request << "Content-Type: application/octet-stream\r\n"
  request << "X-Method: " << params["REQUEST_METHOD"]? << "\r\nX-Query: " << query << "\r\n"
  request << "X-Params: " << params.size << "\r\n"
  params[query]?.try { |value| request << "X-Value: " << value << "\r\n" }
  request << "\r\n"
  IO.copy(request, request)
  request.log("served by Crystal\n")
  request.finish(query == "status=7" ? 7 : 0)
end

request = Request.new(0)
while request.next?
  begin
    serve(request)
  rescue error : IO::Error
    STDERR.puts "echo: #{error.message}"
  end
end
