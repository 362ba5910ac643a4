//! Reading from and writing to descriptors.
//!
//! A signal never cuts an operation short: EINTR is retried everywhere. `…_now` functions do not
//! wait; the others do, also on a descriptor that the program has made non-blocking.

use std::fmt;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::os::fd::RawFd;
use std::time::Duration;

use super::descriptor::is_nonblocking;
use super::error::is_refused;
use super::poll::{self, READABLE, WRITABLE};
use super::syscall::{counted, retrying};

/// Repeats `call` while it would block, waiting for `events` in between. On a descriptor that does
/// block, the time that the program has set for it (SO_RCVTIMEO, SO_SNDTIMEO) is over: that ends it.
fn waiting<T>(
    fd: RawFd,
    events: libc::c_short,
    mut call: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    loop {
        match retrying(&mut call) {
            Err(error) if error.kind() == ErrorKind::WouldBlock && is_nonblocking(fd)? => {
                poll::one(fd, events, None)?;
            }
            result => return result,
        }
    }
}

/// read(2), once. 0 is the end of file.
pub fn read(fd: RawFd, buffer: &mut [u8]) -> io::Result<usize> {
    retrying(|| {
        // SAFETY: the pointer and length are those of `buffer`, which the borrow keeps alive.
        counted(unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) })
    })
}

/// write(2), once.
pub fn write(fd: RawFd, bytes: &[u8]) -> io::Result<usize> {
    retrying(|| {
        // SAFETY: the pointer and length are those of `bytes`, which the borrow keeps alive.
        counted(unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) })
    })
}

/// Standard error. std's has a lock, which a child could find held by a thread that it does not have.
#[derive(Debug)]
pub struct Stderr;

impl fmt::Write for Stderr {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut bytes = text.as_bytes();
        while !bytes.is_empty() {
            match write(libc::STDERR_FILENO, bytes) {
                Ok(written @ 1..) => bytes = bytes.get(written..).unwrap_or_default(),
                _ => return Err(fmt::Error),
            }
        }
        Ok(())
    }
}

/// Succeeds where a plain read or write is to do what receiving or sending with `flags` has failed to
/// do: a program may put a pipe where a connection is expected, and a sandbox may know no calls but the
/// original library's. Fails with any other error, and with `WouldBlock` where the plain call would wait
/// and must not.
fn check_plain_call(
    error: io::Error,
    fd: RawFd,
    events: libc::c_short,
    flags: libc::c_int,
) -> io::Result<()> {
    if error.raw_os_error() != Some(libc::ENOTSOCK) && !is_refused(&error) {
        return Err(error);
    }
    if flags & libc::MSG_DONTWAIT != 0 && poll::one(fd, events, Some(Duration::ZERO))? == 0 {
        return Err(ErrorKind::WouldBlock.into());
    }
    Ok(())
}

#[cold]
fn read_instead(
    error: io::Error,
    fd: RawFd,
    buffer: &mut [u8],
    flags: libc::c_int,
) -> io::Result<usize> {
    check_plain_call(error, fd, READABLE, flags)?;
    read(fd, buffer)
}

#[cold]
fn write_instead(
    error: io::Error,
    fd: RawFd,
    bytes: &[u8],
    flags: libc::c_int,
) -> io::Result<usize> {
    check_plain_call(error, fd, WRITABLE, flags)?;
    write(fd, bytes)
}

#[inline]
fn recv_flags(fd: RawFd, buffer: &mut [u8], flags: libc::c_int) -> io::Result<usize> {
    loop {
        // SAFETY: the pointer and length are those of `buffer`, which the borrow keeps alive.
        match counted(unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), flags) }) {
            Ok(n) => return Ok(n),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return read_instead(error, fd, buffer, flags),
        }
    }
}

/// Receives what is there, without waiting (`WouldBlock` when nothing is). 0 is the end of file.
pub fn recv_now(fd: RawFd, buffer: &mut [u8]) -> io::Result<usize> {
    recv_flags(fd, buffer, libc::MSG_DONTWAIT)
}

/// Receives at least one byte, waiting as long as it takes. 0 is the end of file.
pub fn recv(fd: RawFd, buffer: &mut [u8]) -> io::Result<usize> {
    waiting(fd, READABLE, || recv_flags(fd, buffer, 0))
}

/// Receives into the first buffer, then the second, waiting for at least one byte.
pub fn recv_parts(fd: RawFd, buffers: &mut [IoSliceMut<'_>; 2]) -> io::Result<usize> {
    waiting(fd, READABLE, || {
        // SAFETY: IoSliceMut has the layout of iovec (std's promise); the borrow keeps both alive.
        match counted(unsafe { libc::readv(fd, buffers.as_mut_ptr().cast(), 2) }) {
            Err(error) if is_refused(&error) => {
                let [first, _] = &mut *buffers;
                read(fd, first)
            }
            result => result,
        }
    })
}

/// What the sender does when all bytes are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Nobody knows: they leave at once.
    KeepOpen,
    /// It shuts the connection down for writing. TCP then sends the end in the same packet as the
    /// last bytes, so that the peer cannot use the connection again in between. Should nobody shut it
    /// down after all, the kernel holds these bytes back for 200 ms; closed with something unread,
    /// they are lost.
    ShutDown,
}

impl Then {
    const fn flags(self) -> libc::c_int {
        match self {
            Self::KeepOpen => libc::MSG_NOSIGNAL,
            Self::ShutDown => libc::MSG_NOSIGNAL | libc::MSG_MORE,
        }
    }
}

/// Sends without waiting and without SIGPIPE; gives the bytes taken.
pub fn send_now(fd: RawFd, bytes: &[u8]) -> io::Result<usize> {
    send_flags(fd, bytes, libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT)
}

#[inline]
fn send_flags(fd: RawFd, bytes: &[u8], flags: libc::c_int) -> io::Result<usize> {
    loop {
        // SAFETY: the pointer and length are those of `bytes`, which the borrow keeps alive.
        match counted(unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), flags) }) {
            Ok(n) => return Ok(n),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return write_instead(error, fd, bytes, flags),
        }
    }
}

fn send_parts_once(fd: RawFd, parts: &[IoSlice<'_>], flags: libc::c_int) -> io::Result<usize> {
    // SAFETY: msghdr is plain data, for which zero is a value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = parts.as_ptr().cast_mut().cast();
    message.msg_iovlen = parts.len() as _;
    // SAFETY: IoSlice has the layout of iovec (std's promise); sendmsg only reads the parts.
    match counted(unsafe { libc::sendmsg(fd, &raw const message, flags) }) {
        Err(error) => {
            check_plain_call(error, fd, WRITABLE, flags)?;
            write_parts(fd, parts)
        }
        result => result,
    }
}

fn write_parts(fd: RawFd, parts: &[IoSlice<'_>]) -> io::Result<usize> {
    // SAFETY: IoSlice has the layout of iovec (std's promise); writev only reads the parts.
    match counted(unsafe { libc::writev(fd, parts.as_ptr().cast(), parts.len() as _) }) {
        Err(error) if is_refused(&error) => write(fd, parts.first().map_or(&[], |part| part)),
        result => result,
    }
}

/// Sends all of `bytes`, waiting as long as it takes, without SIGPIPE.
pub fn send_all(fd: RawFd, mut bytes: &[u8], then: Then) -> io::Result<()> {
    while !bytes.is_empty() {
        let sent = waiting(fd, WRITABLE, || send_flags(fd, bytes, then.flags()))?;
        bytes = bytes.get(sent..).unwrap_or_default();
    }
    Ok(())
}

/// Sends all the pieces, in this order, waiting as long as it takes, without SIGPIPE. `list` is the
/// memory for what one system call sends: as many pieces as it has entries.
pub fn send_all_parts<'a>(
    fd: RawFd,
    mut pieces: impl Iterator<Item = &'a [u8]> + Clone,
    list: &mut [IoSlice<'a>],
    then: Then,
) -> io::Result<()> {
    // What is left of a piece that was sent in part.
    let mut first: &[u8] = &[];
    loop {
        let mut rest = pieces.clone();
        let (mut count, mut total) = (0, 0);
        let next = std::iter::once(first).chain(&mut rest).filter(|piece| !piece.is_empty());
        for (entry, piece) in list.iter_mut().zip(next) {
            *entry = IoSlice::new(piece);
            total += piece.len();
            count += 1;
        }
        let parts = list.get(..count).unwrap_or_default();
        if parts.is_empty() {
            return Ok(());
        }
        let flags = then.flags();
        let mut sent = waiting(fd, WRITABLE, || send_parts_once(fd, parts, flags))?;
        if sent >= total {
            (first, pieces) = (&[], rest);
            continue;
        }
        while sent >= first.len() {
            sent -= first.len();
            let Some(piece) = pieces.next() else { return Ok(()) };
            first = piece;
        }
        first = first.get(sent..).unwrap_or_default();
    }
}

/// Sends all of `bytes` unless the peer takes nothing for `patience`. `bytes` is left with what was not
/// sent.
pub fn send_all_within(fd: RawFd, bytes: &mut &[u8], patience: Duration) -> io::Result<()> {
    while !bytes.is_empty() {
        match send_now(fd, bytes) {
            Ok(sent) => *bytes = bytes.get(sent..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if poll::one(fd, WRITABLE, Some(patience))? == 0 {
                    return Err(ErrorKind::TimedOut.into());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::descriptor::close;
    use std::io::{Read, Write};
    use std::net::Shutdown;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn receiving_now_does_not_wait() {
        let (a, mut b) = UnixStream::pair().unwrap();
        let mut buffer = [0; 4];
        let error = recv_now(a.as_raw_fd(), &mut buffer).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        b.write_all(b"xy").unwrap();
        assert_eq!(recv_now(a.as_raw_fd(), &mut buffer).unwrap(), 2);
        // Dropping it would not do while the child of another test has a copy.
        b.shutdown(Shutdown::Write).unwrap();
        assert_eq!(recv_now(a.as_raw_fd(), &mut buffer).unwrap(), 0);
    }

    #[test]
    #[cfg_attr(miri, ignore = "no sendmsg in Miri")]
    fn many_parts_arrive_in_order_on_a_non_blocking_socket() {
        let (a, mut b) = UnixStream::pair().unwrap();
        a.set_nonblocking(true).unwrap();
        let sender = std::thread::spawn(move || {
            let big = vec![7_u8; 1 << 20];
            let parts: [&[u8]; 4] = [b"<", &[], &big, b">"];
            let mut list = [IoSlice::new(&[]); 2];
            send_all_parts(a.as_raw_fd(), parts.into_iter(), &mut list, Then::ShutDown).unwrap();
        });
        let mut all = Vec::new();
        b.read_to_end(&mut all).unwrap();
        sender.join().unwrap();
        assert_eq!(all.len(), 2 + (1 << 20));
        assert_eq!((all.first(), all.last()), (Some(&b'<'), Some(&b'>')));
    }

    #[test]
    fn the_programs_own_time_limit_ends_a_wait() {
        let (a, _b) = UnixStream::pair().unwrap();
        a.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let error = recv(a.as_raw_fd(), &mut [0; 4]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn a_pipe_may_stand_where_a_socket_is_expected() {
        let mut ends = [0; 2];
        // SAFETY: pipe writes two ints.
        assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
        let [reader, writer] = ends;
        send_all(writer, b"abc", Then::KeepOpen).unwrap();
        let mut list = [IoSlice::new(&[]); 2];
        let parts: [&[u8]; 2] = [b"d", b"e"];
        send_all_parts(writer, parts.into_iter(), &mut list, Then::KeepOpen).unwrap();
        close(writer);
        let mut all = [0; 9];
        assert_eq!(recv(reader, &mut all).unwrap(), 5);
        assert_eq!(&all[..5], b"abcde");
        assert_eq!(recv_now(reader, &mut all).unwrap(), 0);
        close(reader);
    }
}
