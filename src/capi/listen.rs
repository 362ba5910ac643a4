//! Making a listen socket.

use std::ffi::{CStr, c_char, c_int};
use std::io;

use crate::os::socket;
use crate::serve::registry;

/// Makes a listen socket. Threads and connections of an earlier one with the same number go on with it.
///
/// # Safety
///
/// `name` is a C string.
pub(super) unsafe fn listen(name: *const c_char, backlog: c_int) -> io::Result<c_int> {
    // SAFETY: the caller passes a C string.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes();
    socket::listen(name, backlog).inspect(|&fd| registry::opened(fd))
}
