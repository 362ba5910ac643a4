//! The end of an accepted `FCGX_Request`.

use super::layout::FCGX_Request;
use super::{parked, request};
use crate::os::shutdown;

/// Finishes a request: ends its streams, and gives its connection back or closes it. Does nothing if it
/// holds none in progress.
///
/// # Safety
///
/// `request` points to a request that was initialised.
#[inline(always)]
pub(super) unsafe fn finish(request: *mut FCGX_Request) {
    // SAFETY: the caller passes an initialised request.
    unsafe {
        if (*request).paramsPtr.is_null() && (*request).ipcFd < 0 {
            return;
        }
        let is_sent = end_streams(request) && request::send_rest(request).is_ok();
        conclude(request, is_sent);
    }
}

/// Ends the streams of a request, if they are open. Returns whether all of the response was sent.
///
/// # Safety
///
/// As for [`finish`].
#[inline(always)]
pub(super) unsafe fn end_streams(request: *mut FCGX_Request) -> bool {
    // SAFETY: the caller passes an initialised request; with streams, it has a block.
    unsafe {
        if (*request).r#in.is_null() {
            return true;
        }
        if (*request).keepConnection != 0 && shutdown::is_requested() {
            // The peer sees the end together with the response, and sends no other request.
            (*request).keepConnection = 0;
        }
        request::close_streams(request)
    }
}

/// Gives the connection of a request back whose streams have ended, or closes it: of a non-blocking request,
/// without waiting for the peer.
///
/// # Safety
///
/// As for [`finish`].
#[inline(always)]
pub(super) unsafe fn conclude(request: *mut FCGX_Request, is_sent: bool) {
    // SAFETY: the caller passes an initialised request; with streams, it has a block.
    unsafe {
        let is_open = !(*request).r#in.is_null();
        let is_good = is_sent && (!is_open || request::is_sound(request));
        if !is_good || (*request).keepConnection == 0 {
            request::close_after_response(request);
        } else if is_open {
            request::withdraw(request);
            parked::give_back(request);
        }
    }
}
