//! Reading from and writing to descriptors.
//!
//! A signal never interrupts an operation: EINTR is retried everywhere. The `…_now` functions do not wait;
//! the others do, even on a descriptor that the program has made non-blocking.

use std::fmt;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::os::fd::RawFd;
use std::time::Duration;

use super::descriptor::is_nonblocking;
use super::error::is_refused;
use super::poll::{self, READABLE, WRITABLE};
use super::syscall::{counted, retrying};

/// Repeats `call` while it would block, waiting for `events` in between. On a blocking descriptor,
/// `WouldBlock` means that the program's timeout (SO_RCVTIMEO, SO_SNDTIMEO) has expired: it is returned.
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

/// Calls read(2). Returns 0 at the end of file.
pub fn read(fd: RawFd, buffer: &mut [u8]) -> io::Result<usize> {
    retrying(|| {
        // SAFETY: the pointer and the length are those of `buffer`, which the borrow keeps alive.
        counted(unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) })
    })
}

/// Calls write(2). Returns the number of bytes written.
pub fn write(fd: RawFd, bytes: &[u8]) -> io::Result<usize> {
    retrying(|| {
        // SAFETY: the pointer and the length are those of `bytes`, which the borrow keeps alive.
        counted(unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) })
    })
}

/// Standard error. Unlike std's it has no lock, which a child could find held by a thread of its parent.
#[derive(Debug)]
pub(crate) struct Stderr;

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

/// Succeeds if a plain read or write is to be tried after receiving or sending with `flags` has failed
/// with `error`. A program may use a pipe as a connection, and a sandbox may allow only the system calls
/// of the original library. Fails with any other error, and with `WouldBlock` if the plain call would
/// wait although `flags` do not allow it.
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
        // SAFETY: the pointer and the length are those of `buffer`, which the borrow keeps alive.
        match counted(unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), flags) }) {
            Ok(n) => return Ok(n),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return read_instead(error, fd, buffer, flags),
        }
    }
}

/// Receives without waiting; `WouldBlock` if no data has arrived. Returns 0 at the end of file.
pub fn recv_now(fd: RawFd, buffer: &mut [u8]) -> io::Result<usize> {
    recv_flags(fd, buffer, libc::MSG_DONTWAIT)
}

/// Receives at least one byte, waiting without a time limit of its own. Returns 0 at the end of file.
pub(crate) fn recv(fd: RawFd, buffer: &mut [u8]) -> io::Result<usize> {
    waiting(fd, READABLE, || recv_flags(fd, buffer, 0))
}

/// Receives into the first buffer, then the second, waiting for at least one byte. Returns 0 at the end of
/// file.
pub(crate) fn recv_parts(fd: RawFd, buffers: &mut [IoSliceMut<'_>; 2]) -> io::Result<usize> {
    waiting(fd, READABLE, || {
        // SAFETY: std guarantees that IoSliceMut has the layout of iovec; the borrow keeps both alive.
        match counted(unsafe { libc::readv(fd, buffers.as_mut_ptr().cast(), 2) }) {
            Err(error) if is_refused(&error) => {
                let [first, _] = &mut *buffers;
                read(fd, first)
            }
            result => result,
        }
    })
}

/// What the caller does with the connection after all bytes are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Nothing that the peer must not miss: it stays open, or the peer expects its end. The bytes are sent
    /// immediately.
    KeepOpen,
    /// Shuts it down for writing. TCP then sends the end together with the last bytes, so the peer cannot
    /// reuse the connection in between. Without the shutdown, the kernel delays these bytes by 200 ms, and
    /// loses them if the connection is closed with unread data.
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

/// Sends without waiting and without SIGPIPE. Returns the number of bytes accepted.
pub fn send_now(fd: RawFd, bytes: &[u8]) -> io::Result<usize> {
    send_flags(fd, bytes, libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT)
}

#[inline]
fn send_flags(fd: RawFd, bytes: &[u8], flags: libc::c_int) -> io::Result<usize> {
    loop {
        // SAFETY: the pointer and the length are those of `bytes`, which the borrow keeps alive.
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
    // SAFETY: std guarantees that IoSlice has the layout of iovec; sendmsg only reads the parts.
    match counted(unsafe { libc::sendmsg(fd, &raw const message, flags) }) {
        Err(error) => {
            check_plain_call(error, fd, WRITABLE, flags)?;
            write_parts(fd, parts)
        }
        result => result,
    }
}

fn write_parts(fd: RawFd, parts: &[IoSlice<'_>]) -> io::Result<usize> {
    // SAFETY: std guarantees that IoSlice has the layout of iovec; writev only reads the parts.
    match counted(unsafe { libc::writev(fd, parts.as_ptr().cast(), parts.len() as _) }) {
        Err(error) if is_refused(&error) => write(fd, parts.first().map_or(&[], |part| part)),
        result => result,
    }
}

/// Sends all of `bytes`, waiting for the peer without a time limit, and without SIGPIPE.
pub(crate) fn send_all(fd: RawFd, mut bytes: &[u8], then: Then) -> io::Result<()> {
    while !bytes.is_empty() {
        let sent = waiting(fd, WRITABLE, || send_flags(fd, bytes, then.flags()))?;
        bytes = bytes.get(sent..).unwrap_or_default();
    }
    Ok(())
}

/// Sends all pieces in order, waiting for the peer without a time limit, and without SIGPIPE. `list` is
/// working memory: one system call sends as many pieces as it has entries.
pub(crate) fn send_all_parts<'a>(
    fd: RawFd,
    mut pieces: impl Iterator<Item = &'a [u8]> + Clone,
    list: &mut [IoSlice<'a>],
    then: Then,
) -> io::Result<()> {
    // The unsent rest of a piece that was sent in part.
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

/// Sends all of `bytes`; `TimedOut` if the peer accepts nothing for `patience`. Afterwards `bytes` is the
/// unsent rest.
pub(crate) fn send_all_within(fd: RawFd, bytes: &mut &[u8], patience: Duration) -> io::Result<()> {
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
        // Dropping it would not be enough: a child of another test may have a copy.
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
        // SAFETY: pipe writes two ints to `ends`, which outlives the call.
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
