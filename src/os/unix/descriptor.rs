//! Descriptors of any kind: queries, flags, moving and closing.

use std::io;
use std::os::fd::RawFd;

use super::error::AcceptTrouble;
use super::syscall::checked;

/// Returns the number of descriptors that the process may have open (RLIMIT_NOFILE).
pub(crate) fn descriptor_limit() -> usize {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the kernel writes one rlimit to a place that outlives the call.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX)
}

/// Returns whether the number is an open descriptor; true where a sandbox refuses the query.
pub(crate) fn is_open(fd: RawFd) -> bool {
    // SAFETY: F_GETFD takes no pointer and changes nothing.
    let flags = checked(unsafe { libc::fcntl(fd, libc::F_GETFD) });
    !flags.is_err_and(|error| error.raw_os_error() == Some(libc::EBADF))
}

/// Fails if `fd` is the last descriptor that the process may open: one has to be left for a connection.
pub(super) fn check_one_is_left(fd: RawFd) -> io::Result<()> {
    // SAFETY: F_DUPFD_CLOEXEC takes an int.
    match checked(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0) }) {
        Ok(copy) => close(copy),
        Err(error) if AcceptTrouble::of(&error) == AcceptTrouble::Shortage => return Err(error),
        // A sandbox refuses the query.
        Err(_) => {}
    }
    Ok(())
}

/// Returns the identity of an open file: a hash of its device and inode, small enough for every parked
/// connection to keep. 0 if the descriptor is not open. Async-signal-safe.
///
/// Linux numbers sockets with 32 bits, so two sockets never have the same identity. Files without an inode
/// of their own do: epoll instances, eventfds.
pub fn file_number(fd: RawFd) -> u32 {
    // SAFETY: stat is plain data, for which zero is a value.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes one stat to a place that outlives the call.
    if unsafe { libc::fstat(fd, &raw mut stat) } != 0 {
        return 0;
    }
    let both = (stat.st_dev as u64).rotate_left(20) ^ stat.st_ino as u64;
    ((both ^ (both >> 32)) as u32).max(1)
}

/// Returns the flags of the descriptor's open file. Async-signal-safe.
pub(crate) fn status_flags(fd: RawFd) -> io::Result<libc::c_int> {
    // SAFETY: F_GETFL takes no pointer and changes nothing.
    checked(unsafe { libc::fcntl(fd, libc::F_GETFL) })
}

/// Sets the flags of the descriptor's open file, for every process that shares it.
/// Async-signal-safe.
pub(crate) fn set_status_flags(fd: RawFd, flags: libc::c_int) -> io::Result<()> {
    // SAFETY: F_SETFL takes an int.
    checked(unsafe { libc::fcntl(fd, libc::F_SETFL, flags) }).map(drop)
}

/// Adds flags to the descriptor's open file. Async-signal-safe.
pub(crate) fn add_flags(fd: RawFd, flags: libc::c_int) -> io::Result<()> {
    set_status_flags(fd, status_flags(fd)? | flags)
}

/// Sets FD_CLOEXEC: executed programs do not inherit the descriptor.
pub(crate) fn close_on_exec(fd: RawFd) {
    // SAFETY: F_SETFD takes an int. It fails only if the descriptor is not open.
    unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
}

/// Returns whether the descriptor's open file has O_NONBLOCK.
pub fn is_nonblocking(fd: RawFd) -> io::Result<bool> {
    status_flags(fd).map(|flags| flags & libc::O_NONBLOCK != 0)
}

/// Moves a descriptor below 3 to 3 or above, with FD_CLOEXEC: programs close 0 to 2 and expect their next
/// open to return these numbers. Closes a descriptor that it moves, even if the move fails.
pub(crate) fn move_above_stdio(fd: RawFd) -> io::Result<RawFd> {
    if fd > 2 {
        return Ok(fd);
    }
    // SAFETY: F_DUPFD_CLOEXEC takes an int.
    let moved = checked(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) });
    close(fd);
    moved
}

/// Closes a descriptor. Fails if it was not open.
pub fn try_close(fd: RawFd) -> io::Result<()> {
    // SAFETY: close takes a number; the caller owns the descriptor.
    match checked(unsafe { libc::close(fd) }) {
        // Linux frees the number even if a signal interrupts the call.
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        result => result.map(drop),
    }
}

/// Closes a descriptor. Ignores errors, because the number is free in any case.
pub fn close(fd: RawFd) {
    let _ = try_close(fd);
}

fn shutdown(fd: RawFd, how: libc::c_int) -> io::Result<()> {
    // SAFETY: shutdown takes numbers; on a descriptor that is not a socket it fails without effect.
    checked(unsafe { libc::shutdown(fd, how) }).map(drop)
}

/// Ends the sending direction of a connection, even if another process holds a copy of it.
pub fn shutdown_write(fd: RawFd) {
    let _ = try_shutdown_write(fd);
}

/// Ends the sending direction as [`shutdown_write`] does. Fails if the descriptor is not a connection.
pub(super) fn try_shutdown_write(fd: RawFd) -> io::Result<()> {
    shutdown(fd, libc::SHUT_WR)
}

/// Ends both directions of a connection: threads that wait for it wake.
pub(crate) fn shutdown_both(fd: RawFd) {
    let _ = shutdown(fd, libc::SHUT_RDWR);
}

/// Ends the receiving direction of a connection.
pub(crate) fn shutdown_read(fd: RawFd) -> io::Result<()> {
    shutdown(fd, libc::SHUT_RD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::error::errno_of;

    #[test]
    fn closing_what_is_not_open_is_an_error() {
        assert_eq!(errno_of(&try_close(1_000_003).unwrap_err()), libc::EBADF);
    }
}
