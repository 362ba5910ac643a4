//! `FCGI_FILE`, and which of its two kinds it is.

use std::ptr;

use libc::FILE;

use crate::capi::fcgiapp::FCGX_Stream;

/// A stream of the request, or a FILE of the C library: one pointer is set. With neither set it is
/// closed.
#[derive(Debug)]
#[repr(C)]
pub struct FCGI_FILE {
    /// The C library's FILE; see FCGI_ToFILE.
    pub stdio_stream: *mut FILE,
    /// The request's stream; see FCGI_ToFcgiStream.
    pub fcgx_stream: *mut FCGX_Stream,
}

impl FCGI_FILE {
    pub(super) const CLOSED: Self =
        Self { stdio_stream: ptr::null_mut(), fcgx_stream: ptr::null_mut() };
}

/// What FCGI_stdin, FCGI_stdout and FCGI_stderr point to. All three are closed until FCGI_Accept
/// has succeeded for the first time. Programs name them by those macros.
// Programs have their own copy of it (a copy relocation), so it must be accessed by its name only.
#[unsafe(no_mangle)]
pub static mut _fcgi_sF: [FCGI_FILE; 3] = [FCGI_FILE::CLOSED, FCGI_FILE::CLOSED, FCGI_FILE::CLOSED];

/// Returns the three standard streams: in, out, err.
pub(super) fn standard() -> [*mut FCGI_FILE; 3] {
    let first = (&raw mut _fcgi_sF).cast::<FCGI_FILE>();
    [first, first.wrapping_add(1), first.wrapping_add(2)]
}

/// Returns FCGI_stdin.
pub(super) fn standard_in() -> *mut FCGI_FILE {
    let [input, _, _] = standard();
    input
}

/// Returns FCGI_stdout.
pub(super) fn standard_out() -> *mut FCGI_FILE {
    let [_, output, _] = standard();
    output
}

/// Returns FCGI_stderr.
pub(super) fn standard_err() -> *mut FCGI_FILE {
    let [_, _, error] = standard();
    error
}

/// What a FCGI_FILE is.
pub(super) enum Target {
    File(*mut FILE),
    Stream(*mut FCGX_Stream),
    Closed,
}

/// Returns what `fp` is; NULL counts as closed.
///
/// # Safety
///
/// `fp` is NULL or points to a FCGI_FILE.
pub(super) unsafe fn target(fp: *const FCGI_FILE) -> Target {
    if fp.is_null() {
        return Target::Closed;
    }
    // SAFETY: not NULL, so the caller passes a FCGI_FILE.
    let FCGI_FILE { stdio_stream, fcgx_stream } = unsafe { fp.read() };
    match (stdio_stream.is_null(), fcgx_stream.is_null()) {
        (false, _) => Target::File(stdio_stream),
        (true, false) => Target::Stream(fcgx_stream),
        (true, true) => Target::Closed,
    }
}
