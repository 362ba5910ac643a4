//! Where the records of a request go.

use std::io::{self, IoSlice};
use std::os::fd::RawFd;

use super::unsent::Unsent;
use crate::os::io::{Then, send_all, send_all_parts};

/// Takes records: it sends them and waits for the peer, or it queues what the kernel does not take, for a
/// non-blocking request. The caller holds the lock of the connection's sending side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sink<'a> {
    fd: RawFd,
    unsent: &'a Unsent,
}

impl<'a> Sink<'a> {
    /// Returns the sink of a connection.
    pub(super) const fn new(fd: RawFd, unsent: &'a Unsent) -> Self {
        Self { fd, unsent }
    }

    /// Takes all of `bytes`.
    #[inline]
    pub(super) fn take(self, bytes: &[u8], then: Then) -> io::Result<()> {
        if self.unsent.is_used() {
            return self.unsent.send(self.fd, std::iter::once(bytes));
        }
        send_all(self.fd, bytes, then)
    }

    /// Takes all pieces in order. `list` is working memory, as for [`send_all_parts`].
    pub(super) fn take_parts<'p>(
        self,
        pieces: impl Iterator<Item = &'p [u8]> + Clone,
        list: &mut [IoSlice<'p>],
        then: Then,
    ) -> io::Result<()> {
        if self.unsent.is_used() {
            return self.unsent.send(self.fd, pieces);
        }
        send_all_parts(self.fd, pieces, list, then)
    }
}
