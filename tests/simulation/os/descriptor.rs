//! Descriptors: queries and closing.

use std::io;
use std::os::fd::RawFd;

use crate::kernel::tasks::{call, here};

pub fn descriptor_limit() -> usize {
    here(|process| process.limit)
}

pub fn is_open(fd: RawFd) -> bool {
    call(|kernel, me| kernel.file_of(me, fd).is_ok())
}

/// Returns what src/os does; epoll instances have no inode of their own.
pub fn file_number(fd: RawFd) -> u32 {
    call(|kernel, me| kernel.file_of(me, fd).map_or(0, |file| kernel.file_number(file)))
}

pub fn is_nonblocking(fd: RawFd) -> io::Result<bool> {
    call(|kernel, me| kernel.file_of(me, fd).map(|file| kernel.files[file].nonblocking))
}

/// Closes a descriptor; none is closed twice here.
pub fn close(fd: RawFd) {
    try_close(fd).unwrap_or_else(|_| panic!("descriptor {fd} is closed twice"));
}

pub fn shutdown_write(fd: RawFd) {
    call(|kernel, me| kernel.shut_down_writing(me, fd));
}

pub fn try_close(fd: RawFd) -> io::Result<()> {
    call(|kernel, me| kernel.close(me, fd))
}
