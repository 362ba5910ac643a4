//! The wake-up: two sockets, of which one becomes readable when the other is written to.
//!
//! Their numbers are the program's to close or to use for something else: a daemon closes all it does
//! not know. So each end keeps what tells its file from others ([`file_number`]), and is looked at
//! before it is written to, read or closed. (An eventfd could not be told from another one.) What was
//! lost is made anew; its numbers are left alone.

use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use super::descriptor::{check_one_is_left, close, file_number, move_above_stdio};
use super::fork::{self, PerProcess};
use super::io::{recv_now, send_now};
use super::lock::Lock;
use super::memory::NoMemory;
use super::syscall::checked;

/// One of the two: its number, -1 before there is one, and its [`file_number`].
struct End {
    fd: AtomicI32,
    file: AtomicU32,
}

static READER: End = End::empty();
static WRITER: End = End::empty();
/// Makers take turns. Signal handlers do not make any.
static TURN_TO_MAKE: PerProcess<Lock<()>> = PerProcess::new(Lock::new(()));

impl End {
    const fn empty() -> Self {
        Self { fd: AtomicI32::new(-1), file: AtomicU32::new(0) }
    }

    /// Sets another one. A signal handler that comes in between finds none.
    fn set(&self, fd: RawFd, file: u32) {
        self.fd.store(-1, Ordering::SeqCst);
        self.file.store(file, Ordering::SeqCst);
        self.fd.store(fd, Ordering::SeqCst);
    }

    /// Returns the number if it still stands for this end.
    fn valid(&self) -> Option<RawFd> {
        let fd = self.fd.load(Ordering::SeqCst);
        (fd >= 0 && file_number(fd) == self.file.load(Ordering::SeqCst)).then_some(fd)
    }
}

/// Returns the number that becomes readable, whatever it stands for by now; at the first call the ends
/// are made, by `make`.
pub(super) fn descriptor(make: fn() -> io::Result<RawFd>) -> io::Result<RawFd> {
    match READER.fd.load(Ordering::SeqCst) {
        fd @ 0.. => Ok(fd),
        _ => make(),
    }
}

/// Returns the number of the end that becomes readable, if it stands for that.
pub(super) fn existing() -> Option<RawFd> {
    READER.valid()
}

/// Returns the number of the end that becomes readable. Both ends are the library's at this moment:
/// they are made anew unless they are. Signal handlers that have come before have not written to them
/// then.
pub(super) fn ensure() -> io::Result<RawFd> {
    let both = || WRITER.valid().and(READER.valid());
    if let Some(fd) = both() {
        return Ok(fd);
    }
    let _turn = TURN_TO_MAKE.get().ok_or(NoMemory)?.lock();
    fork::set_last_child_clean_up(close_in_child);
    if let Some(fd) = both() {
        return Ok(fd);
    }
    // Those that are still there stay open: an epoll instance may know them, or a handler write to
    // them.
    [&READER, &WRITER].iter().for_each(|end| end.set(-1, 0));
    let ends = pair()?;
    for (end, (fd, file)) in [&WRITER, &READER].into_iter().zip(ends) {
        end.set(fd, file);
    }
    Ok(ends[1].0)
}

/// Makes two ends, at descriptors 3 or above. They do not take the last descriptor.
fn pair() -> io::Result<[(RawFd, u32); 2]> {
    let mut ends = [-1; 2];
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: the kernel writes two ints to an array that outlives the call.
    checked(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) })?;
    // Both, whatever becomes of the first: an end that cannot be moved is closed.
    let [first, second] = ends.map(move_above_stdio);
    let ends = match (first, second) {
        (Ok(first), Ok(second)) => [first, second].map(|fd| (fd, file_number(fd))),
        (first, second) => {
            [&first, &second].into_iter().flatten().for_each(|fd| close(*fd));
            return Err(first.and(second).err().unwrap_or_else(io::Error::last_os_error));
        }
    };
    let known = if ends.iter().all(|(_, file)| *file != 0) {
        check_one_is_left(ends[0].0)
    } else {
        Err(io::ErrorKind::Unsupported.into())
    };
    if known.is_err() {
        ends.iter().for_each(|(fd, _)| close(*fd));
    }
    known.map(|()| ends)
}

/// Makes the one end readable, if the other one is the library's. Async-signal-safe.
pub(super) fn write() {
    if let Some(fd) = WRITER.valid() {
        // When it can take no more, the other one is readable.
        let _ = send_now(fd, &[0]);
    }
}

/// Reads all there is from the one end, if it is the library's.
pub(super) fn read() {
    if let Some(fd) = READER.valid() {
        while recv_now(fd, &mut [0; 64]).is_ok_and(|n| n > 0) {}
    }
}

/// Gives up the parent's ends, in the child after fork. Async-signal-safe.
fn close_in_child() {
    for end in [&READER, &WRITER] {
        let own = end.valid();
        end.fd.store(-1, Ordering::SeqCst);
        if let Some(fd) = own {
            close(fd);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::poll::{READABLE, one};
    use std::os::fd::{AsRawFd, IntoRawFd};
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    fn is_readable(fd: RawFd) -> bool {
        one(fd, READABLE, Some(Duration::ZERO)).unwrap() != 0
    }

    fn number(end: &End) -> RawFd {
        end.fd.load(Ordering::SeqCst)
    }

    /// Other tests have descriptors, too: each number that is given up here has another file at once.
    fn put(fd: RawFd, file: &impl AsRawFd) {
        // SAFETY: takes numbers; `fd` is one of the library's.
        assert_eq!(unsafe { libc::dup2(file.as_raw_fd(), fd) }, fd);
    }

    #[test]
    #[cfg_attr(miri, ignore = "no dup2 in Miri")]
    fn a_number_that_means_something_else_is_left_alone_and_the_ends_are_made_anew() {
        let end = End::empty();
        let (a, b) = UnixStream::pair().unwrap();
        let ours = a.try_clone().unwrap().into_raw_fd();
        end.set(ours, file_number(ours));
        assert_eq!(end.valid(), Some(ours));
        put(ours, &b);
        assert_eq!(end.valid(), None);
        close(ours);

        for end in [&READER, &WRITER] {
            let first = ensure().unwrap();
            assert_eq!(ensure().unwrap(), first);
            write();
            assert!(is_readable(first));
            read();
            assert!(!is_readable(first));
            let lost = number(end);
            put(lost, &a);
            if number(&WRITER) == lost {
                write();
                assert!(!is_readable(b.as_raw_fd()));
            } else {
                put(lost, &b);
                // SAFETY: one byte is read from an array.
                assert_eq!(unsafe { libc::write(a.as_raw_fd(), [0_u8].as_ptr().cast(), 1) }, 1);
                read();
                assert!(is_readable(b.as_raw_fd()));
                assert_eq!(recv_now(b.as_raw_fd(), &mut [0; 4]).unwrap(), 1);
            }
            let second = ensure().unwrap();
            assert_ne!(second, lost);
            write();
            assert!(is_readable(second));
            read();
            close(lost);
        }
    }
}
