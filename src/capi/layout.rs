//! Types and constants of fcgiapp.h, which its functions and what stands behind them share.

use std::ffi::{c_char, c_int, c_uchar, c_void};
use std::ptr;

/// A `va_list`, seen from Rust: passed on, never looked into. The functions that take one are
/// written in C.
pub type va_list = *mut c_void;

/// Error of a stream: the web server speaks another version of the protocol.
pub const FCGX_UNSUPPORTED_VERSION: c_int = -2;
/// Error of a stream: the web server broke the protocol, gave the request up or went away.
pub const FCGX_PROTOCOL_ERROR: c_int = -3;
/// Not used by this library.
pub const FCGX_PARAMS_ERROR: c_int = -4;
/// Error of a stream: FCGX_StartFilterData was called at the wrong time.
pub const FCGX_CALL_SEQ_ERROR: c_int = -5;

/// Flag for FCGX_InitRequest: a signal whose handler has no SA_RESTART makes FCGX_Accept_r fail with
/// -EINTR instead of waiting on.
pub const FCGI_FAIL_ACCEPT_ON_INTR: c_int = 1;

/// A stream of bytes, to read or to write.
///
/// Programs may use the fields: what is between `rdNext` and `stop` can be read, what is between
/// `wrNext` and `stop` can be written, without a call. A program may also fill in a stream of its
/// own, with its own procedures; every function here works on it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FCGX_Stream {
    /// Reader: the next byte to read. Writer: equal to stop.
    pub rdNext: *mut c_uchar,
    /// Writer: the next byte to write. Reader: equal to stop.
    pub wrNext: *mut c_uchar,
    /// Reader: the end of the bytes that are there. Writer: the end of the room that is there.
    pub stop: *mut c_uchar,
    /// Reader: how far back rdNext may go by FCGX_UnGetChar.
    pub stopUnget: *mut c_uchar,
    /// Not 0 for a reader.
    pub isReader: c_int,
    /// Not 0 after the end of the stream, an error, or FCGX_FClose.
    pub isClosed: c_int,
    /// Not 0 after FCGX_FClose.
    pub wasFCloseCalled: c_int,
    /// 0, an errno value, or one of the negative FCGX_ errors. The first error stays.
    pub FCGI_errno: c_int,
    /// Reader: called when all bytes are read. Makes more available between rdNext and stop, or
    /// sets isClosed.
    pub fillBuffProc: Option<unsafe extern "C" fn(stream: *mut FCGX_Stream)>,
    /// Writer: called when there is no room, to flush, and with doClose to end the stream. Makes
    /// room between wrNext and stop, or sets isClosed.
    pub emptyBuffProc: Option<unsafe extern "C" fn(stream: *mut FCGX_Stream, doClose: c_int)>,
    /// Belongs to whoever made the stream. In a stream of a request it belongs to the library: a
    /// program must not change or free it.
    pub data: *mut c_void,
}

/// Environment of a request: pointers to "NAME=value" strings, then NULL.
pub type FCGX_ParamArray = *mut *mut c_char;

/// What stands behind a request; opaque.
#[repr(C)]
#[derive(Debug)]
pub struct Params {
    _opaque: [u8; 0],
}

/// A request, or the place for the next one. The program provides the memory and calls
/// FCGX_InitRequest on it once. Between FCGX_Accept_r and FCGX_Finish_r it must not be moved.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FCGX_Request {
    /// The request id on the wire.
    pub requestId: c_int,
    /// FCGI_RESPONDER, FCGI_AUTHORIZER or FCGI_FILTER.
    pub role: c_int,
    /// The request's body.
    pub r#in: *mut FCGX_Stream,
    /// The answer.
    pub out: *mut FCGX_Stream,
    /// Messages for the web server's log.
    pub err: *mut FCGX_Stream,
    /// The parameters: "NAME=value" strings and a NULL. The first is FCGI_ROLE. The program may
    /// change the strings; they live until FCGX_Finish_r.
    pub envp: *mut *mut c_char,
    /// Belongs to the library: a program must not read, change or free it.
    pub paramsPtr: *mut Params,
    /// The connection; -1 for none. While it is kept between requests, it waits in the library, where
    /// another thread may get its next request; programs may poll it.
    pub ipcFd: c_int,
    /// Not 0 while there is a request. Belongs to the library once that is finished.
    pub isBeginProcessed: c_int,
    /// Not 0 if the connection stays open after the request; may be set to 0 to have it closed.
    pub keepConnection: c_int,
    /// The exit status to report; see FCGX_SetExitStatus.
    pub appStatus: c_int,
    /// Output streams that are not closed yet. Belongs to the library once the request is finished.
    pub nWriters: c_int,
    /// As given to FCGX_InitRequest.
    pub flags: c_int,
    /// As given to FCGX_InitRequest.
    pub listen_sock: c_int,
    /// Not 0 after FCGX_Detach.
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

/// A request that was not accepted, for no listen socket.
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
