//! Conversion of system calls' return values to [`Result`](io::Result).

use std::io::{self, ErrorKind};

/// Returns the value of a system call, or the error in errno if it is negative.
pub(super) fn checked<T: PartialOrd + Default>(value: T) -> io::Result<T> {
    if value < T::default() { Err(io::Error::last_os_error()) } else { Ok(value) }
}

/// Returns the byte count of a system call, or the error in errno if it is negative.
pub(super) fn counted(value: libc::ssize_t) -> io::Result<usize> {
    checked(value).map(libc::ssize_t::unsigned_abs)
}

/// Repeats `call` while signals interrupt it.
pub(super) fn retrying<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
