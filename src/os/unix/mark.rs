//! Who made a listen socket non-blocking: the library or the program?
//!
//! The flag O_NONBLOCK belongs to the open file, which other processes share: children, siblings, and
//! programs that were executed. So does the answer: where the library sets O_NONBLOCK, it sets O_APPEND
//! with it, which means nothing on a socket. O_NONBLOCK alone is the program's wish not to wait, also
//! where it replaces the library's. Only a socket that the process was started with is waited on all
//! the same, because anybody may have set the flag there.
//!
//! A program that adds O_NONBLOCK to the library's flags changes nothing: that cannot be noticed.
//!
//! Each process that relies on the library's flag has a shared lock (fcntl(2)) on the socket, which ends
//! with the process at the latest. The last one that leaves takes the flag away: other programs, such
//! as the original library's, do not work with it. A program that closes a copy of the descriptor
//! loses the lock, and may lose the flag then; the library sets it again at its next look.
//!
//! Everything here is async-signal-safe.

use std::io;
use std::os::fd::RawFd;

use super::descriptor::{set_status_flags, status_flags};
use super::inherited::is_inherited;
use super::socket::check_listens;
use super::syscall::checked;

/// How often a lock is tried: another process has the exclusive one for two system calls.
const TRIES: u32 = 100;

/// What the library sets.
const LIBRARY_FLAGS: libc::c_int = libc::O_NONBLOCK | libc::O_APPEND;

/// Whom a listen socket's wait depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiter {
    /// The library waits, whether the socket is non-blocking or not.
    Library,
    /// The program has made the socket non-blocking and waits itself.
    Program,
}

fn waiter(fd: RawFd, flags: libc::c_int) -> Waiter {
    if flags & LIBRARY_FLAGS == libc::O_NONBLOCK && !is_inherited(fd) {
        Waiter::Program
    } else {
        Waiter::Library
    }
}

/// Whether the program itself has made the listen socket non-blocking, for a wait of its own.
pub fn nonblocking_by_program(fd: RawFd) -> bool {
    status_flags(fd).is_ok_and(|flags| waiter(fd, flags) == Waiter::Program)
}

/// Whether the library has made the listen socket non-blocking, in this process or another.
pub fn nonblocking_by_library(fd: RawFd) -> bool {
    status_flags(fd).is_ok_and(|flags| flags & LIBRARY_FLAGS == LIBRARY_FLAGS)
}

/// Makes the listen socket non-blocking for the library's own purposes, unless it is so already. Returns
/// who waits. Anything else at its number is left alone: that is an error.
///
/// The flag stays until [`take_back`]; it may go where locks are refused.
pub fn make_nonblocking(fd: RawFd) -> io::Result<Waiter> {
    // Before the look: whoever is about to take the flag away does so before, or not at all.
    for _ in 0..TRIES {
        match lock(fd, libc::F_RDLCK) {
            Err(error) if is_held(&error) => std::thread::yield_now(),
            _ => break,
        }
    }
    let flags = status_flags(fd)?;
    if flags & libc::O_NONBLOCK != 0 {
        return Ok(waiter(fd, flags));
    }
    check_listens(fd)?;
    set_status_flags(fd, flags | LIBRARY_FLAGS)?;
    Ok(Waiter::Library)
}

/// Ends this process's reliance on the library's flag, and takes it away if no other process relies on
/// it. Where that cannot be told it stays.
pub fn take_back(fd: RawFd) {
    if !nonblocking_by_library(fd) || check_listens(fd).is_err() {
        return;
    }
    // First its own lock: of two that leave at once one would see the other's.
    let is_last = lock(fd, libc::F_UNLCK).and_then(|()| lock(fd, libc::F_WRLCK)).is_ok();
    if is_last {
        if let Ok(flags) = status_flags(fd) {
            if flags & LIBRARY_FLAGS == LIBRARY_FLAGS {
                let _ = set_status_flags(fd, flags & !LIBRARY_FLAGS);
            }
        }
        let _ = lock(fd, libc::F_UNLCK);
    }
}

/// Sets or ends this process's lock on the whole socket, without waiting for others.
fn lock(fd: RawFd, kind: libc::c_int) -> io::Result<()> {
    // SAFETY: flock is plain data, for which zero is a value: from the beginning without an end.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    // SAFETY: F_SETLK reads one flock, which outlives the call.
    checked(unsafe { libc::fcntl(fd, libc::F_SETLK, &raw const lock) }).map(drop)
}

fn is_held(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::TcpListener;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    #[cfg_attr(miri, ignore = "no fcntl for sockets in Miri")]
    fn the_flags_tell_who_set_them() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let fd = listener.as_raw_fd();
        assert!(!nonblocking_by_library(fd) && !nonblocking_by_program(fd));
        assert_eq!(make_nonblocking(fd).unwrap(), Waiter::Library);
        let copy = listener.try_clone().unwrap();
        for fd in [fd, copy.as_raw_fd()] {
            assert!(nonblocking_by_library(fd) && !nonblocking_by_program(fd));
        }
        set_status_flags(fd, libc::O_NONBLOCK).unwrap();
        assert!(!nonblocking_by_library(fd) && nonblocking_by_program(fd));
        assert_eq!(make_nonblocking(fd).unwrap(), Waiter::Program);
        listener.set_nonblocking(false).unwrap();
        assert!(!nonblocking_by_library(fd) && !nonblocking_by_program(fd));
        assert_eq!(make_nonblocking(fd).unwrap(), Waiter::Library);
        assert!(nonblocking_by_library(fd));
        take_back(fd);
        assert_eq!(status_flags(fd).unwrap() & LIBRARY_FLAGS, 0);
        set_status_flags(fd, libc::O_NONBLOCK).unwrap();
        take_back(fd);
        assert_eq!(status_flags(fd).unwrap() & LIBRARY_FLAGS, libc::O_NONBLOCK);
    }

    /// Makes a child that relies on the flag until it is killed.
    fn child_that_relies_on(fd: RawFd) -> libc::pid_t {
        let (mut here, there) = UnixStream::pair().unwrap();
        // SAFETY: the child makes system calls alone, and ends by a signal.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let _ = make_nonblocking(fd);
            let _ = super::super::io::send_now(there.as_raw_fd(), b"!");
            loop {
                // SAFETY: takes nothing.
                unsafe { libc::pause() };
            }
        }
        here.read_exact(&mut [0]).unwrap();
        child
    }

    #[test]
    #[cfg_attr(miri, ignore = "no fork in Miri")]
    fn the_last_one_takes_the_flag_away() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let fd = listener.as_raw_fd();
        make_nonblocking(fd).unwrap();
        let child = child_that_relies_on(fd);
        take_back(fd);
        assert!(nonblocking_by_library(fd));
        // SAFETY: take no pointer, and one to an int.
        unsafe {
            assert_eq!(libc::kill(child, libc::SIGKILL), 0);
            assert_eq!(libc::waitpid(child, std::ptr::null_mut(), 0), child);
        }
        assert!(nonblocking_by_library(fd));
        take_back(fd);
        assert!(!nonblocking_by_library(fd));
    }

    #[test]
    #[cfg_attr(miri, ignore = "no fcntl for sockets in Miri")]
    fn what_does_not_listen_is_left_alone() {
        let (a, _b) = UnixStream::pair().unwrap();
        assert!(make_nonblocking(a.as_raw_fd()).is_err());
        assert_eq!(status_flags(a.as_raw_fd()).unwrap() & LIBRARY_FLAGS, 0);
    }
}
