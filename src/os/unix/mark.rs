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
//! Everything here is async-signal-safe.

use std::io;
use std::os::fd::RawFd;

use super::inherited::is_inherited;
use super::io::{set_status_flags, status_flags};
use super::socket::check_listens;

/// What the library sets.
const MARKED: libc::c_int = libc::O_NONBLOCK | libc::O_APPEND;

/// Whom a listen socket's wait depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The library waits, whether the socket is non-blocking or not.
    Library,
    /// The program has made the socket non-blocking and waits itself.
    Program,
}

fn waiting(fd: RawFd, flags: libc::c_int) -> Waiting {
    if flags & MARKED == libc::O_NONBLOCK && !is_inherited(fd) {
        Waiting::Program
    } else {
        Waiting::Library
    }
}

/// Whether the program itself has made the listen socket non-blocking, for a wait of its own.
pub fn is_programs_wish(fd: RawFd) -> bool {
    status_flags(fd).is_ok_and(|flags| waiting(fd, flags) == Waiting::Program)
}

/// Whether the library has made the listen socket non-blocking, in this process or another.
pub fn is_ours(fd: RawFd) -> bool {
    status_flags(fd).is_ok_and(|flags| flags & MARKED == MARKED)
}

/// Makes the listen socket non-blocking for the library's own purposes, unless it is so already. Returns
/// who waits. Anything else at its number is left alone: that is an error.
pub fn make_nonblocking(fd: RawFd) -> io::Result<Waiting> {
    let flags = status_flags(fd)?;
    if flags & libc::O_NONBLOCK != 0 {
        return Ok(waiting(fd, flags));
    }
    check_listens(fd)?;
    set_status_flags(fd, flags | MARKED)?;
    Ok(Waiting::Library)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    #[cfg_attr(miri, ignore = "no fcntl for sockets in Miri")]
    fn the_flags_tell_who_set_them() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let fd = listener.as_raw_fd();
        assert!(!is_ours(fd) && !is_programs_wish(fd));
        assert_eq!(make_nonblocking(fd).unwrap(), Waiting::Library);
        let copy = listener.try_clone().unwrap();
        for fd in [fd, copy.as_raw_fd()] {
            assert!(is_ours(fd) && !is_programs_wish(fd));
        }
        set_status_flags(fd, libc::O_NONBLOCK).unwrap();
        assert!(!is_ours(fd) && is_programs_wish(fd));
        assert_eq!(make_nonblocking(fd).unwrap(), Waiting::Program);
        listener.set_nonblocking(false).unwrap();
        assert!(!is_ours(fd) && !is_programs_wish(fd));
        assert_eq!(make_nonblocking(fd).unwrap(), Waiting::Library);
        assert!(is_ours(fd));
    }

    #[test]
    #[cfg_attr(miri, ignore = "no fcntl for sockets in Miri")]
    fn what_does_not_listen_is_left_alone() {
        let (a, _b) = UnixStream::pair().unwrap();
        assert!(make_nonblocking(a.as_raw_fd()).is_err());
        assert_eq!(status_flags(a.as_raw_fd()).unwrap() & MARKED, 0);
    }
}
