//! The bytes received on one connection and not yet used.

use crate::os::memory::{NoMemory, zeroed};
use crate::protocol::record::{HEADER_LEN, MAX_CONTENT};
use crate::protocol::writer::copy;

/// Spare bytes kept in front of the unread ones, for what the program pushes back.
pub(crate) const MARGIN: usize = 16;

/// Size of a buffer at first: a usual request head with a small body fits.
const FIRST_SIZE: usize = 6 * 1024;

/// Size of a buffer after a peer has filled the first one: the largest record fits, with its padding.
const FULL_SIZE: usize = MARGIN + HEADER_LEN + MAX_CONTENT + MAX_PADDING;

/// The largest padding of one record, in bytes.
const MAX_PADDING: usize = u8::MAX as usize;

/// A parked connection with at most this many unread bytes gets a small buffer.
const FEW: usize = 512;

/// A buffer that is filled at its end and read from its front.
///
/// Offsets stay valid until [`Inbound::room`] or [`Inbound::shrink`] is called next.
#[derive(Debug, Default)]
pub struct Inbound {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Inbound {
    /// An empty buffer without memory.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), start: 0, end: 0 }
    }

    /// The bytes received and not yet used.
    pub fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether there are no unread bytes.
    pub const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Returns how much memory it takes, in bytes.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The offset of the first unread byte.
    pub const fn position(&self) -> usize {
        self.start
    }

    /// The whole buffer, for a caller that has offsets into it.
    pub fn memory(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Marks `n` unread bytes as read.
    pub fn advance(&mut self, n: usize) {
        self.start = self.end.min(self.start.saturating_add(n));
    }

    /// Replaces the buffer by one that just holds the unread bytes, if these are few.
    pub fn shrink(&mut self) {
        let unread = self.unread();
        if unread.len() > FEW || self.bytes.len() < FIRST_SIZE {
            return;
        }
        let end = MARGIN + unread.len();
        // When out of memory, the large buffer stays.
        let Ok(mut small) = zeroed(end) else { return };
        if let Some(room) = small.get_mut(MARGIN..) {
            copy(room, unread);
        }
        self.bytes = small;
        (self.start, self.end) = (MARGIN, end);
    }

    /// Moves the unread bytes to the front.
    fn compact(&mut self) {
        if MARGIN <= self.start && self.start <= self.end && self.end <= self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, MARGIN);
            self.end = MARGIN + (self.end - self.start);
            self.start = MARGIN;
        }
    }

    /// Returns room to receive into; never empty.
    pub fn room(&mut self) -> Result<&mut [u8], NoMemory> {
        if self.start == self.end {
            if self.end == self.bytes.len() && self.end < FULL_SIZE {
                self.grow()?;
            }
            (self.start, self.end) = (MARGIN, MARGIN);
        } else if self.end == self.bytes.len() {
            if self.start > MARGIN {
                self.compact();
            } else {
                self.grow()?;
            }
        }
        self.bytes.get_mut(self.end..).ok_or(NoMemory)
    }

    /// Enlarges the buffer, which a peer has filled. Its size follows from what has arrived, not from the
    /// lengths that the peer announces.
    fn grow(&mut self) -> Result<(), NoMemory> {
        let size = match self.bytes.len() {
            ..FIRST_SIZE => FIRST_SIZE,
            FULL_SIZE.. => self.bytes.len() + FULL_SIZE,
            _ => FULL_SIZE,
        };
        let unread = self.end - self.start;
        if unread == 0 {
            // Nothing has to be copied: the old memory is freed first, and may become part of the new.
            (self.start, self.end) = (0, 0);
            self.bytes = Vec::new();
        }
        let mut larger = zeroed(size)?;
        copy(&mut larger, &self.bytes);
        self.bytes = larger;
        Ok(())
    }

    /// Notes that `n` bytes were received into [`Inbound::room`].
    pub fn received(&mut self, n: usize) {
        self.end = self.bytes.len().min(self.end.saturating_add(n));
    }

    /// Drops all bytes, and frees a buffer that is larger than `FULL_SIZE`.
    pub fn reset(&mut self) {
        if self.bytes.len() > FULL_SIZE {
            self.bytes = Vec::new();
        }
        let start = if self.bytes.is_empty() { 0 } else { MARGIN };
        (self.start, self.end) = (start, start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(inbound: &mut Inbound, bytes: &[u8]) {
        inbound.room().unwrap()[..bytes.len()].copy_from_slice(bytes);
        inbound.received(bytes.len());
    }

    #[test]
    fn what_is_received_is_read_in_order() {
        let mut inbound = Inbound::new();
        put(&mut inbound, b"abc");
        inbound.advance(1);
        put(&mut inbound, b"de");
        assert_eq!(inbound.unread(), b"bcde");
        inbound.advance(9);
        assert!(inbound.is_empty());
    }

    #[test]
    fn unread_bytes_move_to_the_front_when_the_end_is_reached() {
        let mut inbound = Inbound::new();
        let size = inbound.room().unwrap().len();
        inbound.received(size);
        inbound.advance(size - 2);
        assert!(inbound.room().unwrap().len() >= size - 2);
        assert_eq!((inbound.position(), inbound.unread().len()), (MARGIN, 2));
    }

    #[test]
    fn few_bytes_wait_in_a_small_buffer() {
        let mut inbound = Inbound::new();
        put(&mut inbound, b"abcdef");
        inbound.advance(2);
        inbound.shrink();
        assert_eq!(inbound.unread(), b"cdef");
        assert_eq!(inbound.memory().len(), MARGIN + 4);
        put(&mut inbound, b"g");
        assert_eq!(inbound.unread(), b"cdefg");
    }

    #[test]
    fn a_full_buffer_grows_and_a_large_one_is_given_back() {
        let mut inbound = Inbound::new();
        let mut received = 0;
        while received <= FULL_SIZE {
            let n = inbound.room().unwrap().len();
            assert!(n > 0);
            inbound.received(n);
            received += n;
            assert_eq!(inbound.unread().len(), received);
        }
        inbound.reset();
        assert_eq!(inbound.room().unwrap().len(), FIRST_SIZE - MARGIN);
    }
}
