//! Functions without a request.

use std::ffi::{c_char, c_int};

use super::constants::FCGX_API_LEVEL;
use crate::capi::library;
use crate::capi::listen::listen;
use crate::os::error::errno_of;
use crate::serve::registry;

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

/// Returns a descriptor to be polled for reading, for an event loop that has other work, too. It is
/// readable as long as FCGX_RequestNext(request, 0) would return anything but 0, with any request on
/// that socket: for a new connection, a kept one on which something has arrived, and a request to
/// shut down. After a 0 it is not readable before something new happens. It may be readable where a
/// call then returns 0.
///
/// It is level-triggered, also as a member of another epoll instance. With edge-triggered polling,
/// call FCGX_RequestNext until it returns 0. A cancelled request does not make it readable.
///
/// Parameters:
/// - socket: the listen socket: 0, or the result of FCGX_Listen.
///
/// Returns: the descriptor; the negated error on failure.
///
/// Errors: EBADF or ENOTSOCK if socket is not a listen socket, EINVAL if it does not listen. EMFILE or
/// ENFILE without free descriptors. ENOMEM if out of memory. ENOSYS without epoll.
///
/// Side effects: initialises the library, as FCGX_Init does, and makes the listen socket
/// non-blocking. The descriptor stays the library's, which keeps it open; each call for a socket
/// returns the same one. After a fork the child calls this again, and so does a program that has
/// called OS_LibShutdown and initialises the library anew.
///
/// Threads and signals: while one thread polls, others may wait in FCGX_RequestNext and
/// FCGX_Accept_r.
#[unsafe(no_mangle)]
pub extern "C" fn FCGX_PollDescriptor(socket: c_int) -> c_int {
    library::initialise();
    let listener = registry::of(socket).map_err(Into::into);
    let descriptor = listener.and_then(|listener| listener.poll_descriptor());
    descriptor.unwrap_or_else(|error| -errno_of(&error))
}
