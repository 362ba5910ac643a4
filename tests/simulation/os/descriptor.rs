//! Descriptors: queries and closing.

use std::io;
use std::os::fd::RawFd;

use crate::kernel::tasks::{call, here};

/// As in src/os.
pub fn descriptor_limit() -> usize {
    here(|process| process.limit)
}

/// As in src/os.
pub fn is_open(fd: RawFd) -> bool {
    call(|kernel, me| kernel.file_of(me, fd).is_ok())
}

/// As in src/os: epoll instances have no inode of their own.
pub fn file_number(fd: RawFd) -> u32 {
    call(|kernel, me| kernel.file_of(me, fd).map_or(0, |file| kernel.file_number(file)))
}

/// As in src/os.
pub fn is_nonblocking(fd: RawFd) -> io::Result<bool> {
    call(|kernel, me| kernel.file_of(me, fd).map(|file| kernel.files[file].nonblocking))
}

/// As in src/os. Nothing is closed twice here.
pub fn close(fd: RawFd) {
    try_close(fd).unwrap_or_else(|_| panic!("descriptor {fd} is closed twice"));
}

/// As in src/os.
pub fn shutdown_write(fd: RawFd) {
    call(|kernel, me| kernel.shut_down_writing(me, fd));
}

/// As in src/os.
pub fn try_close(fd: RawFd) -> io::Result<()> {
    call(|kernel, me| kernel.close(me, fd))
}
