//! The wake-up: a pair of sockets. A write to one end makes the other end readable.
//!
//! The program may close their descriptors or reuse the numbers: a daemon closes every descriptor that
//! it does not know. So each end remembers the identity of its file ([`file_number`]), which is compared
//! before the end is written to, read or closed. (Eventfds all have the same identity.) An end that was
//! lost is replaced, and its number is left alone.

use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicUsize, Ordering};

use super::clock;
use super::descriptor::{check_one_is_left, close, file_number, move_above_stdio};
use super::fork::{self, PerProcess};
use super::io::{recv_now, send_now};
use super::lock::Lock;
use super::memory::NoMemory;
use super::syscall::checked;

/// One end: its descriptor (-1 before it is made) and its [`file_number`].
struct End {
    fd: AtomicI32,
    file: AtomicU32,
}

static READER: End = End::empty();
static WRITER: End = End::empty();
/// How many waiting threads were called and have not come yet.
static CALLS: AtomicUsize = AtomicUsize::new(0);
/// When the last one was called, of [`clock::milliseconds`].
static CALLED_AT: AtomicU32 = AtomicU32::new(0);
/// Milliseconds in which a thread comes that was called. One that has been cancelled, has jumped out of its
/// wait or belongs to the parent of a raw clone never comes.
const LONGEST_CALL: u32 = 1000;
/// Held while a thread makes the ends. Signal handlers never make them.
static TURN_TO_MAKE: PerProcess<Lock<()>> = PerProcess::new(Lock::new(()));

impl End {
    const fn empty() -> Self {
        Self { fd: AtomicI32::new(-1), file: AtomicU32::new(0) }
    }

    /// Replaces the end. A signal handler that runs in between finds no descriptor.
    fn set(&self, fd: RawFd, file: u32) {
        self.fd.store(-1, Ordering::SeqCst);
        self.file.store(file, Ordering::SeqCst);
        self.fd.store(fd, Ordering::SeqCst);
    }

    /// Returns the descriptor if its number still stands for this end.
    fn valid(&self) -> Option<RawFd> {
        let fd = self.fd.load(Ordering::SeqCst);
        (fd >= 0 && file_number(fd) == self.file.load(Ordering::SeqCst)).then_some(fd)
    }
}

/// Returns the reader's descriptor without checking what its number stands for by now. The first call
/// makes the ends with `make`.
pub(super) fn descriptor(make: fn() -> io::Result<RawFd>) -> io::Result<RawFd> {
    match READER.fd.load(Ordering::SeqCst) {
        fd @ 0.. => Ok(fd),
        _ => make(),
    }
}

/// Returns the reader's descriptor if its number still stands for the reader.
pub(super) fn existing() -> Option<RawFd> {
    READER.valid()
}

/// Returns the reader's descriptor, with both ends valid: if one was lost, it makes a new pair. Signal
/// handlers that ran before have not written to a new pair.
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
    // An end that is still valid stays open: an epoll instance may watch it, or a handler write to it.
    [&READER, &WRITER].iter().for_each(|end| end.set(-1, 0));
    let ends = pair()?;
    for (end, (fd, file)) in [&WRITER, &READER].into_iter().zip(ends) {
        end.set(fd, file);
    }
    Ok(ends[1].0)
}

/// Makes the two ends, at descriptors 3 or above. Fails if they would take the last free descriptor.
fn pair() -> io::Result<[(RawFd, u32); 2]> {
    let mut ends = [-1; 2];
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: the kernel writes two ints to `ends`, which outlives the call.
    checked(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) })?;
    // Moves both even if the first fails: a descriptor that cannot be moved is closed.
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

/// Makes the reader readable, if the writer is still valid. Async-signal-safe.
pub(super) fn write() {
    if let Some(fd) = WRITER.valid() {
        // A full buffer means that the reader is readable already.
        let _ = send_now(fd, &[0]);
    }
}

/// Empties the reader, if it is still valid.
pub(super) fn read() {
    if let Some(fd) = READER.valid() {
        while recv_now(fd, &mut [0; 64]).is_ok_and(|n| n > 0) {}
    }
}

/// Counts a thread that is going to be called. Async-signal-safe.
pub(super) fn begin_call() {
    CALLED_AT.store(clock::milliseconds(), Ordering::SeqCst);
    CALLS.fetch_add(1, Ordering::SeqCst);
}

/// Ends a call. Returns whether it was the last one. Async-signal-safe.
pub(super) fn end_call() -> bool {
    let less = |calls: usize| calls.checked_sub(1);
    CALLS.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less) == Ok(1)
}

/// Returns whether a thread was called that has not come yet. Forgets calls that are too old.
pub(super) fn is_calling() -> bool {
    let calls = CALLS.load(Ordering::SeqCst);
    if calls == 0 {
        return false;
    }
    let age = clock::milliseconds().wrapping_sub(CALLED_AT.load(Ordering::SeqCst));
    let is_recent = age < LONGEST_CALL;
    if !is_recent {
        let _ = CALLS.compare_exchange(calls, 0, Ordering::SeqCst, Ordering::SeqCst);
    }
    is_recent
}

/// Closes the copies of the parent's ends, in the child after fork. The child has no thread that was called. Async-signal-safe.
fn close_in_child() {
    CALLS.store(0, Ordering::SeqCst);
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

    /// Puts another file at a number. The number is never free in between: other tests open descriptors.
    fn put(fd: RawFd, file: &impl AsRawFd) {
        // SAFETY: dup2 takes two numbers; `fd` is one that this test has opened.
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
                // SAFETY: the kernel reads one byte from an array that outlives the call.
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
