//! The results of the functions of `fcgi_request.h`.

use std::ffi::{CStr, c_char, c_int};
use std::io;

use crate::capi::block::Block;
use crate::capi::layout::{FCGX_PROTOCOL_ERROR, FCGX_UNSUPPORTED_VERSION};
use crate::capi::stream::Stream;
use crate::os::error::{errno_of, is_cancelled};
use crate::os::shutdown;

/// Result: shutdown was requested, by SIGTERM, SIGUSR1 or FCGX_ShutdownPending.
pub const FCGX_SHUT_DOWN: c_int = -10001;
/// Result: FCGX_RequestCancel was called.
pub const FCGX_CANCELLED: c_int = -10002;
/// Result: a signal was handled (FCGX_INTERRUPTIBLE).
pub const FCGX_INTERRUPTED: c_int = -10003;
/// Result: the web server has aborted the request or closed the connection, or FCGX_RequestAbort was
/// called.
pub const FCGX_GONE: c_int = -10004;
/// Result: the web server has broken the protocol.
pub const FCGX_BROKEN: c_int = -10005;
/// Result: there is no request in progress.
pub const FCGX_NO_REQUEST: c_int = -10006;

/// Returns the result for an error of a wait.
pub(super) fn of_wait(error: &io::Error) -> c_int {
    if is_cancelled(error) {
        return FCGX_CANCELLED;
    }
    match errno_of(error) {
        libc::EINTR if shutdown::is_requested() => FCGX_SHUT_DOWN,
        libc::EINTR => FCGX_INTERRUPTED,
        errno => -errno,
    }
}

/// Returns the result for an error of sending.
pub(super) fn of_send(error: &io::Error) -> c_int {
    match errno_of(error) {
        libc::EPIPE | libc::ECONNRESET | libc::ENOTCONN => FCGX_GONE,
        errno => -errno,
    }
}

/// Returns the result for a stream of a request that has ended early; 0 if it has no error.
///
/// # Safety
///
/// `block` is the live block of an accepted request.
pub(super) unsafe fn of_stream(block: *mut Block, stream: Stream) -> c_int {
    // SAFETY: the caller passes a live block; nothing else uses its connection now.
    let is_gone = unsafe { (*block).connection.as_ref() }
        .is_none_or(|connection| connection.exchange.is_gone());
    match stream.error() {
        0 => 0,
        FCGX_PROTOCOL_ERROR if !is_gone => FCGX_BROKEN,
        FCGX_UNSUPPORTED_VERSION => FCGX_BROKEN,
        FCGX_PROTOCOL_ERROR | libc::EPIPE | libc::ECONNRESET | libc::ENOTCONN => FCGX_GONE,
        errno @ 1.. => -errno,
        other => other,
    }
}

/// Explains a negative result of a function of this header.
///
/// Parameters:
/// - result: the result.
///
/// Returns: a sentence in English, never NULL. It is static: it must not be freed, and stays valid.
///
/// Threads and signals: async-signal-safe.
#[unsafe(no_mangle)]
pub extern "C" fn FCGX_ErrorText(result: c_int) -> *const c_char {
    text(result).as_ptr()
}

fn text(result: c_int) -> &'static CStr {
    match result {
        0.. => c"no error",
        FCGX_SHUT_DOWN => c"shutdown was requested",
        FCGX_CANCELLED => c"the wait was cancelled",
        FCGX_INTERRUPTED => c"a signal interrupted the wait",
        FCGX_GONE => c"the web server has aborted the request or closed the connection",
        FCGX_BROKEN => c"the web server has broken the FastCGI protocol",
        FCGX_NO_REQUEST => c"there is no request in progress",
        errno => ERRORS
            .iter()
            .find(|(known, _)| errno.checked_neg() == Some(*known))
            .map_or(c"unknown error", |(_, text)| text),
    }
}

/// The errors that system calls of this library are known to return, in the words of the C library, which
/// may have others in another language.
const ERRORS: [(c_int, &CStr); 36] = [
    (libc::EPERM, c"operation not permitted"),
    (libc::ENOENT, c"no such file or directory"),
    (libc::EINTR, c"interrupted system call"),
    (libc::EIO, c"input/output error"),
    (libc::EBADF, c"bad file descriptor"),
    (libc::EAGAIN, c"resource temporarily unavailable"),
    (libc::ENOMEM, c"out of memory"),
    (libc::EACCES, c"permission denied"),
    (libc::EFAULT, c"bad address"),
    (libc::EBUSY, c"device or resource busy"),
    (libc::EEXIST, c"something else than a socket is there"),
    (libc::ENOTDIR, c"not a directory"),
    (libc::EISDIR, c"is a directory"),
    (libc::EINVAL, c"invalid argument"),
    (libc::ENFILE, c"too many open files in system"),
    (libc::EMFILE, c"too many open files"),
    (libc::ENOSPC, c"no space left on device"),
    (libc::EROFS, c"read-only file system"),
    (libc::EPIPE, c"broken pipe"),
    (libc::ENAMETOOLONG, c"file name too long"),
    (libc::ENOSYS, c"function not implemented"),
    (libc::ELOOP, c"too many levels of symbolic links"),
    (libc::EPROTO, c"protocol error"),
    (libc::ENOTSOCK, c"not a socket"),
    (libc::EOPNOTSUPP, c"operation not supported"),
    (libc::EAFNOSUPPORT, c"address family not supported"),
    (libc::EADDRINUSE, c"address already in use"),
    (libc::EADDRNOTAVAIL, c"cannot assign requested address"),
    (libc::ENETDOWN, c"network is down"),
    (libc::ENETUNREACH, c"network is unreachable"),
    (libc::ECONNABORTED, c"connection aborted"),
    (libc::ECONNRESET, c"connection reset by peer"),
    (libc::ENOBUFS, c"no buffer space available"),
    (libc::ENOTCONN, c"not connected"),
    (libc::ETIMEDOUT, c"connection timed out"),
    (libc::ECONNREFUSED, c"connection refused"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_has_a_text_and_no_two_have_the_same() {
        let own = FCGX_NO_REQUEST..=FCGX_SHUT_DOWN;
        let all = own.chain(ERRORS.iter().map(|(errno, _)| -errno));
        let mut texts: Vec<&CStr> = all.map(text).collect();
        assert!(!texts.contains(&c"unknown error"));
        let count = texts.len();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), count);
        assert_eq!([c_int::MIN, -9998, 0, 7].map(text)[..2], [c"unknown error"; 2]);
    }
}
