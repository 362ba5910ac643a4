//! Requests whose reads and writes do not wait.

use std::ffi::c_int;
use std::sync::atomic::Ordering;

use super::result::of_send;
use crate::capi::block::{block_of, sending};
use crate::capi::layout::FCGX_Request;
use crate::capi::opaque::OpaqueRequest;
use crate::serve::config;

/// Makes requests non-blocking, or blocking again: the one in progress, and those that come later. A
/// non-blocking request never waits for the web server:
///
/// - FCGX_RequestRead returns -EAGAIN where it would wait. Poll FCGX_INFO_DESCRIPTOR for reading.
/// - FCGX_RequestWrite and FCGX_RequestLog take only what LIBFCGI_OUTPUT_BUFFER has room for, and return
///   -EAGAIN without room. Poll the descriptor for writing.
/// - FCGX_RequestFlush and FCGX_RequestEnd return -EAGAIN while something is unsent. Poll the descriptor
///   for writing and call again.
///
/// Reading functions of fcgiapp.h end early on such a request; writing ones may wait.
///
/// Parameters:
/// - on: 1 for non-blocking, 0 for blocking.
///
/// Returns: 0; a negative result on failure.
///
/// Errors: EINVAL if request is NULL, or for another number.
///
/// Specification: 5.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_RequestSetNonblocking(
    request: *mut FCGX_Request,
    on: c_int,
) -> c_int {
    if request.is_null() || !matches!(on, 0 | 1) {
        return -libc::EINVAL;
    }
    // SAFETY: not NULL, so FCGX_RequestNew has made it; one in progress has a live block.
    unsafe {
        let Some(opaque) = OpaqueRequest::of(request) else { return -libc::EINVAL };
        opaque.is_nonblocking.store(on == 1, Ordering::Relaxed);
        if !(*request).r#in.is_null() {
            let unsent = sending(block_of(request)).unsent();
            if on == 1 { unsent.begin(config::get().output_buffer) } else { unsent.end() }
        }
    }
    0
}

/// The result of a call that would wait.
const AGAIN: c_int = -libc::EAGAIN;

/// Returns how many of `size` bytes a request takes now; -EAGAIN if none. Fails if what it holds cannot be sent.
///
/// # Safety
///
/// `request` holds a request in progress.
pub(super) unsafe fn room(request: *mut FCGX_Request, size: usize) -> Result<usize, c_int> {
    // SAFETY: the caller passes a request in progress, which has a live block.
    let unsent = unsafe { sending(block_of(request)) }.unsent();
    if !unsent.is_on() || size == 0 {
        return Ok(size);
    }
    let most = config::get().output_buffer;
    if unsent.len() >= most {
        // SAFETY: the request is the one above.
        match unsafe { send_rest(request) } {
            0 | AGAIN => {}
            failure => return Err(failure),
        }
    }
    match most.saturating_sub(unsent.len()) {
        0 => Err(AGAIN),
        room => Ok(size.min(room)),
    }
}

/// Returns whether the request is non-blocking.
///
/// # Safety
///
/// `request` holds a request in progress.
pub(super) unsafe fn is_on(request: *mut FCGX_Request) -> bool {
    // SAFETY: the caller passes a request in progress, which has a live block.
    unsafe { sending(block_of(request)) }.unsent().is_on()
}

/// Sends what the kernel takes of what a non-blocking request has not sent: 0 if that is all, -EAGAIN if not.
///
/// # Safety
///
/// `request` holds a request in progress.
pub(super) unsafe fn send_rest(request: *mut FCGX_Request) -> c_int {
    // SAFETY: the caller passes a request in progress, which has a live block.
    let (sending, fd) = unsafe { (sending(block_of(request)), (*request).ipcFd) };
    if !sending.unsent().is_used() {
        return 0;
    }
    match sending.exclusively(fd, |_| sending.unsent().flush(fd)) {
        Ok(true) => 0,
        Ok(false) => AGAIN,
        Err(error) => of_send(&error),
    }
}
