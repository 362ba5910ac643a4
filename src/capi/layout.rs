//! The types and constants of fcgiapp.h.

use std::ffi::{c_char, c_int, c_uchar, c_void};
use std::ptr;

use crate::serve::Limit;

/// A `va_list` as Rust sees it: opaque. The functions that take one are written in C.
pub type va_list = *mut c_void;

/// Stream error: the web server uses another version of the protocol.
pub const FCGX_UNSUPPORTED_VERSION: c_int = -2;
/// Stream error: the web server violated the protocol, aborted the request or closed the connection.
pub const FCGX_PROTOCOL_ERROR: c_int = -3;
/// Unused by this library.
pub const FCGX_PARAMS_ERROR: c_int = -4;
/// Stream error: FCGX_StartFilterData was called at the wrong time.
pub const FCGX_CALL_SEQ_ERROR: c_int = -5;

/// Flag for FCGX_InitRequest: FCGX_Accept_r returns -EINTR after a signal whose handler has no
/// SA_RESTART, instead of continuing to wait.
pub const FCGI_FAIL_ACCEPT_ON_INTR: c_int = 1;

/// Flag of the requests that FCGX_RequestNew makes.
pub(super) const OPAQUE: c_int = 1 << 30;

/// Returns who says how long a wait for a request with these flags lasts.
pub(super) const fn limit_of(flags: c_int) -> Limit {
    if flags & OPAQUE == 0 { Limit::Socket } else { Limit::Caller }
}

/// A stream of bytes, to read or to write.
///
/// Programs may access the fields directly: read the bytes between `rdNext` and `stop`, or write
/// between `wrNext` and `stop`, and advance the pointer. A program may also make a stream of its own,
/// with its own procedures; every function here works on it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FCGX_Stream {
    /// Reader: the next byte to read. Writer: equal to stop.
    pub rdNext: *mut c_uchar,
    /// Writer: the next byte to write. Reader: equal to stop.
    pub wrNext: *mut c_uchar,
    /// Reader: the end of the bytes in the buffer. Writer: the end of the room in the buffer.
    pub stop: *mut c_uchar,
    /// Reader: the lowest position to which FCGX_UnGetChar may move rdNext.
    pub stopUnget: *mut c_uchar,
    /// Nonzero for a reader.
    pub isReader: c_int,
    /// Nonzero after the end of the stream, an error, or FCGX_FClose.
    pub isClosed: c_int,
    /// Nonzero after FCGX_FClose.
    pub wasFCloseCalled: c_int,
    /// The first error: an errno value or one of the negative FCGX_ errors; 0 without an error.
    pub FCGI_errno: c_int,
    /// Reader: called when all bytes are read. Provides more between rdNext and stop, or sets
    /// isClosed.
    pub fillBuffProc: Option<unsafe extern "C" fn(stream: *mut FCGX_Stream)>,
    /// Writer: called when the buffer is full, to flush, and with nonzero doClose to end the stream.
    /// Makes room between wrNext and stop, or sets isClosed.
    pub emptyBuffProc: Option<unsafe extern "C" fn(stream: *mut FCGX_Stream, doClose: c_int)>,
    /// For the procedures of a stream that the program has made. In the library's streams it is the
    /// library's: a program must not change or free it.
    pub data: *mut c_void,
}

/// The environment of a request: pointers to "NAME=value" strings, then NULL.
pub type FCGX_ParamArray = *mut *mut c_char;

/// The library's own data of a request; opaque.
#[repr(C)]
#[derive(Debug)]
pub struct Params {
    _opaque: [u8; 0],
}

/// A request, or the memory for the next one. The program provides it and calls FCGX_InitRequest on it
/// once. It must not move between FCGX_Accept_r and FCGX_Finish_r.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FCGX_Request {
    /// The request id of its records.
    pub requestId: c_int,
    /// FCGI_RESPONDER, FCGI_AUTHORIZER or FCGI_FILTER.
    pub role: c_int,
    /// The request's body.
    pub r#in: *mut FCGX_Stream,
    /// The response.
    pub out: *mut FCGX_Stream,
    /// Messages for the web server's log.
    pub err: *mut FCGX_Stream,
    /// The parameters: pointers to "NAME=value" strings, then NULL. The first is FCGI_ROLE. The
    /// program may change the strings, which are valid until FCGX_Finish_r.
    pub envp: *mut *mut c_char,
    /// For the library only: a program must not read, change or free it.
    pub paramsPtr: *mut Params,
    /// The connection's descriptor; -1 for none. A connection that is kept between requests waits in
    /// the library, where another thread may accept its next request; programs may poll it.
    pub ipcFd: c_int,
    /// Nonzero while a request is in progress. For the library only once that is finished.
    pub isBeginProcessed: c_int,
    /// Nonzero if the connection stays open after the request. A program may set it to 0 to close it.
    pub keepConnection: c_int,
    /// The exit status to report; see FCGX_SetExitStatus.
    pub appStatus: c_int,
    /// The number of output streams that are still open. For the library only once the request is
    /// finished.
    pub nWriters: c_int,
    /// The flags of FCGX_InitRequest.
    pub flags: c_int,
    /// The listen socket of FCGX_InitRequest.
    pub listen_sock: c_int,
    /// Nonzero after FCGX_Detach.
    pub detached: c_int,
}

/// A stream that has ended.
pub(super) const NO_STREAM: FCGX_Stream = FCGX_Stream {
    rdNext: ptr::null_mut(),
    wrNext: ptr::null_mut(),
    stop: ptr::null_mut(),
    stopUnget: ptr::null_mut(),
    isReader: 0,
    isClosed: 1,
    wasFCloseCalled: 0,
    FCGI_errno: 0,
    fillBuffProc: None,
    emptyBuffProc: None,
    data: ptr::null_mut(),
};

/// A request that holds no connection and has no listen socket.
pub(super) const NO_REQUEST: FCGX_Request = FCGX_Request {
    requestId: 0,
    role: 0,
    r#in: ptr::null_mut(),
    out: ptr::null_mut(),
    err: ptr::null_mut(),
    envp: ptr::null_mut(),
    paramsPtr: ptr::null_mut(),
    ipcFd: -1,
    isBeginProcessed: 0,
    keepConnection: 0,
    appStatus: 0,
    nWriters: 0,
    flags: 0,
    listen_sock: -1,
    detached: 0,
};
