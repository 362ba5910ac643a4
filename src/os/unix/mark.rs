//! Who made a listen socket non-blocking: the library or the program.
//!
//! O_NONBLOCK belongs to the open file, which is shared with other processes: children, siblings, and
//! executed programs. So the answer is kept there, too: the library sets O_APPEND together with
//! O_NONBLOCK, because O_APPEND has no meaning on a socket. O_NONBLOCK alone means that the program does
//! not want the library to wait, even if the program has replaced the library's flags. A socket that the
//! process was started with is the exception: another program may have set the flag, so the library
//! waits.
//!
//! If a program adds O_NONBLOCK to the library's flags, nothing changes: the library cannot see it.
//!
//! Each process that relies on the library's flags holds a shared lock (fcntl(2)) on the socket, which
//! ends with the process at the latest. The last process to leave clears the flags, because other
//! programs, such as those of the original library, do not work with a non-blocking socket. A program
//! that closes a copy of the descriptor loses the lock, and may then lose the flags; the library sets
//! them again at its next check.
//!
//! All functions here are async-signal-safe.

use std::io;
use std::os::fd::RawFd;

use super::descriptor::{set_status_flags, status_flags};
use super::inherited::is_inherited;
use super::socket::check_listens;
use super::syscall::checked;

/// Attempts to get the shared lock: another process holds the exclusive lock for two system calls only.
const TRIES: u32 = 100;

/// The flags that the library sets on a listen socket.
const LIBRARY_FLAGS: libc::c_int = libc::O_NONBLOCK | libc::O_APPEND;

/// The side that waits for connections on a listen socket.
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

/// Returns whether the program has made the listen socket non-blocking, because it waits itself.
pub fn nonblocking_by_program(fd: RawFd) -> bool {
    status_flags(fd).is_ok_and(|flags| waiter(fd, flags) == Waiter::Program)
}

/// Returns whether the library has made the listen socket non-blocking, in this process or another one.
pub fn nonblocking_by_library(fd: RawFd) -> bool {
    status_flags(fd).is_ok_and(|flags| flags & LIBRARY_FLAGS == LIBRARY_FLAGS)
}

/// Makes the listen socket non-blocking for the library, unless it is non-blocking already. Returns who
/// waits. Fails, and changes nothing, if the descriptor is not a listen socket.
///
/// The flags stay until [`take_back`]. Where locks are refused, another process may clear them earlier.
pub fn make_nonblocking(fd: RawFd) -> io::Result<Waiter> {
    // Locks before reading the flags: a process that clears them has done so by then, or never will.
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

/// Releases this process's lock, and clears the library's flags if no other process relies on them.
/// Leaves them set where that cannot be determined.
pub fn take_back(fd: RawFd) {
    if !nonblocking_by_library(fd) || check_listens(fd).is_err() {
        return;
    }
    // Releases its own lock first: two processes leaving together would otherwise see each other's.
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

/// Sets or releases this process's lock on the whole socket. Does not wait for other processes.
fn lock(fd: RawFd, kind: libc::c_int) -> io::Result<()> {
    // SAFETY: flock is plain data, for which zero is a value: from the beginning without an end.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    // SAFETY: F_SETLK reads one flock from `lock`, which outlives the call.
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

    /// Forks a child that relies on the flags until it is killed.
    fn child_that_relies_on(fd: RawFd) -> libc::pid_t {
        let (mut here, there) = UnixStream::pair().unwrap();
        // SAFETY: the child only makes system calls, and ends by a signal.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let _ = make_nonblocking(fd);
            let _ = super::super::io::send_now(there.as_raw_fd(), b"!");
            loop {
                // SAFETY: pause takes no arguments.
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
        // SAFETY: kill takes no pointer; waitpid is passed NULL, which it allows.
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
