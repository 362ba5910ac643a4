//! A request from beginning to end.

use std::ffi::c_int;
use std::ptr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::constants::{
    FCGX_INFO_DESCRIPTOR, FCGX_INFO_ID, FCGX_INFO_KEEP, FCGX_INFO_ROLE, FCGX_INFO_UNSENT,
    FCGX_INTERRUPTIBLE, FCGX_TAKE_SIGNALS,
};
use super::nonblocking::send_rest;
use super::result::{FCGX_GONE, FCGX_NO_REQUEST, of_stream, of_wait};
use crate::capi::block::{block_of, sending};
use crate::capi::layout::FCGX_Request;
use crate::capi::opaque::OpaqueRequest;
use crate::capi::stream::Stream;
use crate::capi::{accept, finish, gone, library, request as any_request};
use crate::os::clock;
use crate::os::error::would_block;
use crate::serve::AcceptOptions;

/// Makes a request, which serves one web server's request after another. Initialises the library, as
/// FCGX_Init does.
///
/// Parameters:
/// - socket: the listen socket: 0, or the result of FCGX_Listen. It stays the program's.
/// - flags: 0, FCGX_INTERRUPTIBLE, FCGX_TAKE_SIGNALS, or both.
///
/// Returns: the request, to be freed by FCGX_RequestFree; NULL if out of memory, or for an unknown
/// flag.
///
/// Side effects: those of FCGX_Init. With FCGX_TAKE_SIGNALS, SIGINT, SIGTERM and SIGUSR1 do what
/// FCGX_ShutdownPending does, in place of any handler; they run on a thread's alternate signal stack,
/// if it has one (SA_ONSTACK). OS_LibShutdown sets such a signal to its default action.
#[unsafe(no_mangle)]
pub extern "C" fn FCGX_RequestNew(socket: c_int, flags: c_int) -> *mut FCGX_Request {
    if flags & !(FCGX_INTERRUPTIBLE | FCGX_TAKE_SIGNALS) != 0 {
        return ptr::null_mut();
    }
    library::initialise();
    let Ok(request) = OpaqueRequest::make(socket, flags & FCGX_INTERRUPTIBLE) else {
        return ptr::null_mut();
    };
    if flags & FCGX_TAKE_SIGNALS != 0 {
        library::take_signals();
    }
    request
}

/// Frees a request. A request in progress is abandoned: its connection is closed without anything
/// being sent, and the web server sees that the response is not whole. A kept connection is served on.
///
/// Parameters:
/// - request: from FCGX_RequestNew; NULL does nothing.
///
/// Threads and signals: for any thread, such as that of a finaliser. It never waits. No other thread
/// may use the request at the same time or later.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_RequestFree(request: *mut FCGX_Request) {
    if request.is_null() {
        return;
    }
    // SAFETY: not NULL, so FCGX_RequestNew has made it, and the program does not use it again.
    unsafe {
        if !(*request).paramsPtr.is_null() {
            any_request::abandon(request);
        }
        OpaqueRequest::free(request);
    }
}

/// Waits for the next request. One that is still in progress is abandoned, as by FCGX_RequestFree: a
/// handler that was left by an exception has not written the whole response.
///
/// It waits for new connections and for all kept ones of the listen socket, whether that is
/// non-blocking or not.
///
/// Parameters:
/// - timeout: the longest wait in milliseconds; 0 does not wait, a negative number waits without
///   limit. Where epoll cannot be had, it may take 20 ms longer.
///
/// Returns: 1 if there is a request; 0 if none came in time; a negative result on failure.
///
/// Errors: FCGX_SHUT_DOWN if shutdown was requested and every request was served that a web server
/// may have sent before. FCGX_CANCELLED once after FCGX_RequestCancel. FCGX_INTERRUPTED after a
/// signal, with FCGX_INTERRUPTIBLE. EBADF or ENOTSOCK if socket is not a listen socket. EINVAL if
/// request is NULL. Otherwise as accept4(2), negated.
///
/// Side effects: as FCGX_Accept_r. The strings and streams of the request before are no longer valid.
///
/// Specification: 3.2, 4, 5.1, 5.2, 5.5.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_RequestNext(request: *mut FCGX_Request, timeout: c_int) -> c_int {
    if request.is_null() {
        return -libc::EINVAL;
    }
    // SAFETY: not NULL, so FCGX_RequestNew has made it; no other thread uses it but to cancel.
    let result = unsafe {
        if !(*request).r#in.is_null() {
            any_request::abandon(request);
        }
        library::go_on();
        accept::next(request, &options(request, timeout))
    };
    match result {
        Ok(()) => 1,
        Err(error) => {
            // SAFETY: the request is the one above; it may still have a block.
            unsafe { any_request::close(request) };
            if is_timeout(&error, timeout) { 0 } else { of_wait(&error) }
        }
    }
}

/// Returns the options of a wait of so many milliseconds.
///
/// # Safety
///
/// FCGX_RequestNew has made `request`. The result is used before it is freed.
unsafe fn options<'a>(request: *mut FCGX_Request, timeout: c_int) -> AcceptOptions<'a> {
    let limit = u64::try_from(timeout).ok().map(Duration::from_millis);
    // SAFETY: the caller passes a request that FCGX_RequestNew has made.
    unsafe {
        AcceptOptions {
            until: limit.and_then(|limit| clock::now().checked_add(limit)),
            cancel: OpaqueRequest::of(request).map(|opaque| &opaque.cancel),
            ..accept::options_of((*request).flags)
        }
    }
}

fn is_timeout(error: &std::io::Error, timeout: c_int) -> bool {
    timeout >= 0 && error.raw_os_error() == would_block().raw_os_error()
}

/// Ends the request in progress: sends what is left of its output, and the exit status. Its
/// connection is closed, or serves the next request of any thread.
///
/// Parameters:
/// - status: the exit status that the web server gets; 0 for success.
///
/// Returns: 0, also without a request in progress; a negative result if the response was not sent
/// whole.
///
/// Errors: FCGX_GONE if the web server has closed the connection. EINVAL if request is NULL. EAGAIN
/// in a non-blocking request if something is unsent: the request stays in progress, nothing more can
/// be written, and the call is to be repeated when the connection is writable (the first status
/// counts). Otherwise as send(2), negated.
///
/// Side effects: the strings and streams of the request are no longer valid. Waits for a web server
/// that is still sending, as FCGX_Finish_r does.
///
/// Threads and signals: for any thread. Signals do not end the wait.
///
/// Specification: 3.5, 5.5.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_RequestEnd(request: *mut FCGX_Request, status: c_int) -> c_int {
    if request.is_null() {
        return -libc::EINVAL;
    }
    // SAFETY: not NULL, so FCGX_RequestNew has made it; no other thread uses it but to abort.
    unsafe {
        if (*request).r#in.is_null() {
            return 0;
        }
        if OpaqueRequest::of(request).is_some_and(OpaqueRequest::is_aborted) {
            any_request::close(request);
            return FCGX_GONE;
        }
        let result = end_streams(request, status);
        if result != -libc::EAGAIN {
            finish::conclude(request, result == 0);
        }
        result
    }
}

/// Ends the streams of a request, and sends what a non-blocking one has not sent. Returns the result of
/// FCGX_RequestEnd.
///
/// # Safety
///
/// FCGX_RequestNew has made `request`, and it holds a request in progress.
unsafe fn end_streams(request: *mut FCGX_Request, status: c_int) -> c_int {
    // SAFETY: the caller passes a request in progress, which has a live block.
    unsafe {
        let opaque = OpaqueRequest::of(request);
        if !opaque.is_some_and(|opaque| opaque.is_ending.swap(true, Ordering::Relaxed)) {
            (*request).appStatus = status;
            if !finish::end_streams(request) {
                return unsent(request);
            }
        }
        send_rest(request)
    }
}

/// Returns the result for a response that was not sent whole.
///
/// # Safety
///
/// `request` holds an accepted request, whose streams have ended.
#[cold]
unsafe fn unsent(request: *mut FCGX_Request) -> c_int {
    // SAFETY: the caller passes an accepted request, which has a live block and streams.
    unsafe {
        let streams = [(*request).out, (*request).err].map(|stream| Stream::new(stream));
        let mut results = streams.into_iter().flatten().map(|s| of_stream(block_of(request), s));
        results.find(|result| *result != 0).unwrap_or(FCGX_GONE)
    }
}

/// Cancels a wait: FCGX_RequestNext that waits with this request returns FCGX_CANCELLED, or the next
/// call of it does. It does so once. A request that it would have returned waits for the next call.
///
/// Parameters:
/// - request: NULL does nothing.
///
/// Side effects: while a thread waits in accept4, another descriptor stands at the listen socket's
/// number until it returns, as with FCGX_ShutdownPending.
///
/// Threads and signals: async-signal-safe, for any thread, until FCGX_RequestFree is called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_RequestCancel(request: *mut FCGX_Request) {
    if request.is_null() {
        return;
    }
    // SAFETY: not NULL, so FCGX_RequestNew has made it, and it was not freed yet.
    if let Some(opaque) = unsafe { OpaqueRequest::of(request) } {
        opaque.cancel.cancel();
    }
}

/// Abandons the request in progress: each call that reads, writes, flushes or ends it returns
/// FCGX_GONE, one that waits in another thread immediately. (What the buffers have may still be read,
/// and what they have room for be written.) The web server sees that the response is not whole. Its
/// thread still ends or frees it.
///
/// Parameters:
/// - request: from FCGX_RequestNew.
///
/// Returns: 0; FCGX_NO_REQUEST without a request in progress, and in a forked child, which leaves its
/// parent's alone.
///
/// Errors: EINVAL if request is NULL.
///
/// Threads and signals: for any thread, until FCGX_RequestFree is called. Not for signal handlers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_RequestAbort(request: *mut FCGX_Request) -> c_int {
    if request.is_null() {
        return -libc::EINVAL;
    }
    // SAFETY: not NULL, so FCGX_RequestNew has made it, and it was not freed yet.
    match unsafe { OpaqueRequest::of(request) } {
        Some(opaque) if opaque.abort() => 0,
        _ => FCGX_NO_REQUEST,
    }
}

/// Tells whether the web server still wants the response. Never waits, and reads nothing of the body.
///
/// A peer that has only shut down its sending side counts as gone. An abort is not seen behind a
/// body of which more than 4096 bytes are unread.
///
/// Parameters:
/// - request: from FCGX_RequestNew, or one of fcgiapp.h that FCGX_Accept_r has accepted; NULL stands
///   for that of FCGX_Accept and FCGI_Accept.
///
/// Returns: 1 if the web server has aborted the request or closed the connection; 0 if that is not
/// known; FCGX_NO_REQUEST without a request in progress.
///
/// Threads and signals: no other thread may read the body at the same time.
///
/// Specification: 5.4.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_RequestGone(request: *mut FCGX_Request) -> c_int {
    let request = if request.is_null() { library::the_request() } else { request };
    // SAFETY: the caller passes a request that was initialised; the library's own always is.
    unsafe { gone::is_gone(request) }.map_or(FCGX_NO_REQUEST, c_int::from)
}

/// Returns a fact about the request in progress.
///
/// Parameters:
/// - what: FCGX_INFO_ROLE, FCGX_INFO_ID, FCGX_INFO_KEEP, FCGX_INFO_DESCRIPTOR or FCGX_INFO_UNSENT.
///
/// Returns: the fact, 0 or more; FCGX_NO_REQUEST without a request in progress.
///
/// Errors: EINVAL if request is NULL, or for another number.
///
/// Specification: 3.3, 5.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_RequestInfo(request: *const FCGX_Request, what: c_int) -> c_int {
    if request.is_null() {
        return -libc::EINVAL;
    }
    // SAFETY: not NULL, so the caller passes a request that was initialised; one in progress has a live block.
    unsafe {
        match what {
            _ if (*request).r#in.is_null() => FCGX_NO_REQUEST,
            FCGX_INFO_ROLE => (*request).role,
            FCGX_INFO_ID => (*request).requestId,
            FCGX_INFO_KEEP => c_int::from((*request).keepConnection != 0),
            FCGX_INFO_DESCRIPTOR => (*request).ipcFd,
            FCGX_INFO_UNSENT => {
                let unsent = sending(block_of(request.cast_mut())).unsent().len();
                unsent.try_into().unwrap_or(c_int::MAX)
            }
            _ => -libc::EINVAL,
        }
    }
}
