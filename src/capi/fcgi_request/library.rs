//! Functions without a request.

use std::ffi::{c_char, c_int};

use super::constants::FCGX_API_LEVEL;
use crate::capi::listen::listen;
use crate::os::error::errno_of;

/// Returns the level of the functions that the library has: those of a level and of all below it. A
/// program that is built with a later header compares it with the level that it needs. libfcgi of
/// others has no function of this name.
///
/// Returns: the library's FCGX_API_LEVEL.
///
/// Threads and signals: async-signal-safe.
#[unsafe(no_mangle)]
pub extern "C" fn FCGX_ApiLevel() -> c_int {
    FCGX_API_LEVEL
}

/// Returns the version of the library, for messages.
///
/// Returns: its name and version, never NULL. It is static: it must not be freed, and stays valid.
///
/// Threads and signals: async-signal-safe.
#[unsafe(no_mangle)]
pub extern "C" fn FCGX_Version() -> *const c_char {
    concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Makes a listen socket, as FCGX_OpenSocket does, and returns the reason of a failure instead of
/// writing it to stderr. Works before the first FCGX_RequestNew.
///
/// Parameters:
/// - address: the path of FCGX_OpenSocket: "path" of a unix socket, ":port", "host:port" or
///   "[v6]:port".
/// - backlog: the number of connections that may wait to be accepted, as for listen(2).
///
/// Returns: the descriptor, which executed programs inherit; the negated error on failure.
///
/// Errors: EINVAL if address is NULL. Otherwise as FCGX_OpenSocket.
///
/// Side effects: replaces a socket, an empty file or a symbolic link at the path, as FCGX_OpenSocket.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_Listen(address: *const c_char, backlog: c_int) -> c_int {
    if address.is_null() {
        return -libc::EINVAL;
    }
    // SAFETY: not NULL, so the caller passes a C string.
    unsafe { listen(address, backlog) }.unwrap_or_else(|error| -errno_of(&error))
}
