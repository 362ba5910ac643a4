[CCode (cheader_filename = "fcgi_request.h", cprefix = "FCGX_")]
namespace FCGX {
	public const int SHUT_DOWN;
	public const int TAKE_SIGNALS;

	[CCode (cname = "FCGX_ErrorText")]
	public unowned string error_text (int result);

	[Compact]
	[CCode (cname = "struct FCGX_Request", free_function = "FCGX_RequestFree")]
	public class Request {
		[CCode (cname = "FCGX_RequestNew")]
		public Request (int socket, int flags);
		[CCode (cname = "FCGX_RequestNext")]
		public int next (int timeout);
		[CCode (cname = "FCGX_RequestEnd")]
		public int end (int status);
		[CCode (cname = "FCGX_RequestParam")]
		public unowned string? param (string name, out size_t length = null);
		[CCode (cname = "FCGX_RequestParamAt")]
		public unowned string? param_at (size_t index, out size_t name = null, out size_t length = null);
		[CCode (cname = "FCGX_RequestRead")]
		public ssize_t read ([CCode (array_length_type = "size_t")] uint8[] buffer);
		[CCode (cname = "FCGX_RequestWrite")]
		public ssize_t write ([CCode (array_length_type = "size_t")] uint8[] data);
		[CCode (cname = "FCGX_RequestLog")]
		public ssize_t log ([CCode (array_length_type = "size_t")] uint8[] text);
	}
}
