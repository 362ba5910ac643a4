//! What a non-blocking request has written and the kernel has not taken yet.

use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::os::io::send_now;
use crate::os::lock::Lock;
use crate::os::memory::append;
use crate::os::poll::{self, WRITABLE};

/// Memory kept between requests, in bytes.
const KEPT: usize = 16 * 1024;

/// A queue of bytes. The first may be the rest of a record: nothing is sent past them.
///
/// Its callers hold the lock of the connection's sending side, which survives a thread that is cancelled or
/// leaves by siglongjmp while it waits for the peer. The lock here does not: where it is found held, such a
/// thread has left it, or a thread of the parent had it at a fork, and nothing more can be sent.
#[derive(Debug)]
pub(crate) struct Unsent {
    /// Whether the request is non-blocking.
    is_on: AtomicBool,
    /// Whether there are bytes, or the request is non-blocking.
    is_used: AtomicBool,
    /// How many bytes wait.
    count: AtomicUsize,
    /// How many bytes wait before sending waits, too.
    most: AtomicUsize,
    queue: Lock<Queue>,
}

#[derive(Debug)]
struct Queue {
    bytes: Vec<u8>,
    /// How many of them were sent.
    start: usize,
}

impl Queue {
    const fn new() -> Self {
        Self { bytes: Vec::new(), start: 0 }
    }

    fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Drops all bytes, and memory that is more than usual.
    fn empty(&mut self) {
        self.bytes.clear();
        if self.bytes.capacity() > KEPT {
            self.bytes = Vec::new();
        }
        self.start = 0;
    }

    /// Sends what the kernel takes.
    fn send(&mut self, fd: RawFd) -> io::Result<()> {
        while let Some(bytes) = self.bytes.get(self.start..).filter(|bytes| !bytes.is_empty()) {
            match send_now(fd, bytes) {
                Ok(sent) => self.start = self.bytes.len().min(self.start + sent),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start.min(self.bytes.len()));
            self.start = 0;
        }
        Ok(())
    }
}

/// Sends what the kernel takes of a piece. Returns how many bytes.
fn send_some(fd: RawFd, piece: &[u8]) -> io::Result<usize> {
    match send_now(fd, piece) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        result => result,
    }
}

/// Sends until at most `most` bytes wait.
fn wait_for(queue: &mut Queue, fd: RawFd, most: usize) -> io::Result<()> {
    while queue.len() > most {
        poll::one(fd, WRITABLE, None)?;
        queue.send(fd)?;
    }
    Ok(())
}

impl Unsent {
    /// Returns an empty queue of a blocking request.
    pub(crate) const fn new() -> Self {
        Self {
            is_on: AtomicBool::new(false),
            is_used: AtomicBool::new(false),
            count: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            queue: Lock::new(Queue::new()),
        }
    }

    /// Prepares for another request.
    pub(crate) fn reset(&mut self) {
        if *self.is_used.get_mut() {
            let emptied = self.queue.try_lock().map(|mut queue| queue.empty());
            if emptied.is_none() {
                self.queue = Lock::new(Queue::new());
            }
            (*self.is_on.get_mut(), *self.is_used.get_mut()) = (false, false);
            *self.count.get_mut() = 0;
        }
    }

    /// Makes the request non-blocking: about `limit` bytes may wait to be sent.
    pub(crate) fn begin(&self, limit: usize) {
        // Without the program's doing, no more than the limit and a record of each stream come together.
        self.most.store(limit.saturating_mul(2).saturating_add(1 << 16), Ordering::Relaxed);
        self.is_used.store(true, Ordering::Relaxed);
        self.is_on.store(true, Ordering::Relaxed);
    }

    /// Makes the request blocking.
    pub(crate) fn end(&self) {
        self.is_on.store(false, Ordering::Relaxed);
    }

    /// Returns whether the request is non-blocking.
    pub(crate) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Returns whether sending has to go through the queue.
    pub(crate) fn is_used(&self) -> bool {
        self.is_used.load(Ordering::Relaxed)
    }

    /// Returns how many bytes wait.
    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Sends pieces behind what waits, without waiting as long as less than the limit waits; of a request that
    /// has become blocking, all. What the kernel does not take is kept.
    #[cold]
    pub(crate) fn send<'a>(
        &self,
        fd: RawFd,
        mut pieces: impl Iterator<Item = &'a [u8]>,
    ) -> io::Result<()> {
        let most = if self.is_on() { self.most.load(Ordering::Relaxed) } else { 0 };
        self.with_queue(|queue| {
            queue.send(fd)?;
            // Nothing is copied that the kernel takes.
            while let Some(piece) = if queue.len() == 0 { pieces.next() } else { None } {
                let sent = send_some(fd, piece)?;
                append(&mut queue.bytes, piece.get(sent..).unwrap_or_default())?;
            }
            pieces.try_for_each(|piece| append(&mut queue.bytes, piece))?;
            wait_for(queue, fd, most)
        })
    }

    /// Does something to the queue. Fails with `BrokenPipe` if a thread has left it.
    fn with_queue<T>(&self, deed: impl FnOnce(&mut Queue) -> io::Result<T>) -> io::Result<T> {
        let mut queue = self.queue.try_lock().ok_or(ErrorKind::BrokenPipe)?;
        let result = deed(&mut queue);
        self.count.store(queue.len(), Ordering::Relaxed);
        result
    }

    /// Sends what waits, without waiting. Returns whether it is all sent.
    pub(crate) fn flush(&self, fd: RawFd) -> io::Result<bool> {
        self.with_queue(|queue| {
            queue.send(fd)?;
            Ok(queue.len() == 0)
        })
    }

    /// Sends what waits, and waits for the peer.
    pub(crate) fn finish(&self, fd: RawFd) -> io::Result<()> {
        self.with_queue(|queue| wait_for(queue, fd, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    /// Numbered bytes: `count` of them from `first` on.
    fn numbered(first: usize, count: usize) -> Vec<u8> {
        (first..first + count).map(|number| (number % 251) as u8).collect()
    }

    #[test]
    #[cfg_attr(miri, ignore = "no send in Miri")]
    fn bytes_come_in_order_whatever_the_kernel_takes() {
        let (ours, mut peer) = UnixStream::pair().unwrap();
        let (mut unsent, fd) = (Unsent::new(), ours.as_raw_fd());
        unsent.begin(1 << 20);
        let (mut put, mut got) = (0, 0);
        for round in 0..100 {
            let pieces = [1 + 77 * round, 0, 4000, 3];
            let pieces = pieces.map(|count| {
                put += count;
                numbered(put - count, count)
            });
            unsent.send(fd, pieces.iter().map(Vec::as_slice)).unwrap();
            // The peer reads less than it gets.
            let mut some = vec![0; 3000];
            peer.read_exact(&mut some).unwrap();
            assert!(some == numbered(got, 3000));
            got += 3000;
        }
        assert!(!unsent.flush(fd).unwrap());
        assert!(unsent.len() > 0);
        let reader = std::thread::spawn(move || {
            let mut rest = vec![0; put - got];
            peer.read_exact(&mut rest).unwrap();
            assert!(rest == numbered(got, put - got));
        });
        unsent.finish(fd).unwrap();
        reader.join().unwrap();
        assert_eq!((unsent.len(), unsent.flush(fd).unwrap()), (0, true));
        unsent.reset();
        assert!(!unsent.is_used());
    }

    #[test]
    #[cfg_attr(miri, ignore = "no send in Miri")]
    fn what_waits_goes_first_when_the_request_blocks_again() {
        let (ours, mut peer) = UnixStream::pair().unwrap();
        let (unsent, fd) = (Unsent::new(), ours.as_raw_fd());
        unsent.begin(1 << 20);
        unsent.send(fd, [&numbered(0, 1 << 20)[..]].into_iter()).unwrap();
        unsent.end();
        assert!(unsent.is_used() && !unsent.is_on() && unsent.len() > 0);
        let reader = std::thread::spawn(move || {
            let mut all = vec![0; (1 << 20) + 5];
            peer.read_exact(&mut all).unwrap();
            assert!(all == numbered(0, (1 << 20) + 5));
        });
        unsent.send(fd, [&numbered(1 << 20, 5)[..]].into_iter()).unwrap();
        assert_eq!(unsent.len(), 0);
        reader.join().unwrap();
    }

    #[test]
    #[cfg_attr(miri, ignore = "no send in Miri")]
    fn a_peer_that_is_gone_is_an_error() {
        let (ours, peer) = UnixStream::pair().unwrap();
        let unsent = Unsent::new();
        unsent.begin(10);
        drop(peer);
        assert!(unsent.send(ours.as_raw_fd(), [&b"x"[..]].into_iter()).is_err());
    }

    /// As a thread leaves it that is cancelled, or a child finds it.
    #[test]
    #[cfg_attr(miri, ignore = "no send in Miri")]
    fn a_queue_that_a_thread_has_left_sends_nothing_more_and_serves_the_next_request() {
        let (ours, mut peer) = UnixStream::pair().unwrap();
        let (mut unsent, fd) = (Unsent::new(), ours.as_raw_fd());
        unsent.begin(10);
        std::mem::forget(unsent.queue.lock());
        let error = unsent.send(fd, [&b"x"[..]].into_iter()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert!(unsent.flush(fd).is_err() && unsent.finish(fd).is_err());
        unsent.reset();
        unsent.begin(10);
        unsent.send(fd, [&b"next"[..]].into_iter()).unwrap();
        let mut next = [0; 4];
        peer.read_exact(&mut next).unwrap();
        assert_eq!(&next, b"next");
    }
}
