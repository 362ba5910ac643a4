//! The queue of answers to management records, for the thread that sends next.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use once_cell::race::OnceBox;

use crate::os::memory::{NoMemory, boxed, extend};

/// Size of the queue: over forty answers of the longest kind. A power of two.
const ROOM: usize = 4096;

/// Bytes sent at a time.
const PIECE: usize = 256;

/// A queue of whole records. The one thread that reads the connection puts them in; one thread at a time
/// takes them out. There is no lock that a fork could leave locked.
#[derive(Debug)]
pub(super) struct Answers {
    /// Allocated for the first record.
    ring: OnceBox<Ring>,
    /// Bytes put in and taken out so far; both wrap.
    put: AtomicUsize,
    taken: AtomicUsize,
}

/// A ring buffer of `ROOM` bytes.
#[derive(Debug)]
struct Ring(Vec<AtomicU8>);

impl Ring {
    fn new() -> Result<Box<Self>, NoMemory> {
        let mut bytes = Vec::new();
        extend(&mut bytes, (0..ROOM as u16).map(|_| AtomicU8::new(0)))?;
        boxed(Self(bytes))
    }

    /// All bytes, from this one on and once around.
    fn bytes_from(&self, start: usize) -> impl Iterator<Item = &AtomicU8> {
        let start = start % ROOM;
        self.0.iter().skip(start).chain(self.0.iter().take(start))
    }
}

impl Answers {
    /// An empty queue.
    pub(super) const fn new() -> Self {
        Self { ring: OnceBox::new(), put: AtomicUsize::new(0), taken: AtomicUsize::new(0) }
    }

    /// Whether the queue is empty. The loads are sequentially consistent.
    pub(super) fn is_empty(&self) -> bool {
        self.put.load(Ordering::SeqCst) == self.taken.load(Ordering::SeqCst)
    }

    /// Puts a record in. Fails if the queue is full, or out of memory.
    pub(super) fn put(&self, record: &[u8]) -> Result<(), NoMemory> {
        let ring = self.ring.get_or_try_init(Ring::new)?;
        let start = self.put.load(Ordering::Relaxed);
        let waiting = start.wrapping_sub(self.taken.load(Ordering::SeqCst));
        if record.len() > ROOM.saturating_sub(waiting) {
            return Err(NoMemory);
        }
        for (stored, byte) in ring.bytes_from(start).zip(record) {
            stored.store(*byte, Ordering::Relaxed);
        }
        self.put.store(start.wrapping_add(record.len()), Ordering::SeqCst);
        Ok(())
    }

    /// Returns the next bytes to send, and how many they are. They stay in the queue until [`Answers::sent`]:
    /// if none can be sent, the queue still begins with a whole record.
    pub(super) fn next(&self) -> ([u8; PIECE], usize) {
        let start = self.taken.load(Ordering::Relaxed);
        let count = self.put.load(Ordering::SeqCst).wrapping_sub(start).min(PIECE);
        let mut bytes = [0; PIECE];
        if let Some(ring) = self.ring.get() {
            for (byte, stored) in bytes.iter_mut().zip(ring.bytes_from(start)).take(count) {
                *byte = stored.load(Ordering::Relaxed);
            }
        }
        (bytes, count)
    }

    /// Takes `count` bytes out. Once the queue is empty, only whole records have been sent.
    pub(super) fn sent(&self, count: usize) {
        let start = self.taken.load(Ordering::Relaxed);
        self.taken.store(start.wrapping_add(count), Ordering::SeqCst);
    }

    /// Drops all records.
    pub(super) fn clear(&mut self) {
        *self.taken.get_mut() = *self.put.get_mut();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take_all(answers: &Answers) -> Vec<u8> {
        let mut all = Vec::new();
        while !answers.is_empty() {
            let (bytes, count) = answers.next();
            all.extend_from_slice(&bytes[..count]);
            answers.sent(count);
        }
        all
    }

    #[test]
    fn records_come_out_whole_and_in_order() {
        let answers = Answers::new();
        assert!(answers.is_empty());
        for round in 0..20_u8 {
            let first = [round; 300];
            answers.put(&first).unwrap();
            answers.put(b"second").unwrap();
            assert_eq!(take_all(&answers), [&first[..], b"second"].concat());
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let answers = Answers::new();
        answers.put(&[1; ROOM - 1]).unwrap();
        answers.put(&[2; 2]).unwrap_err();
        answers.put(&[3; 1]).unwrap();
        let all = take_all(&answers);
        assert_eq!((all.len(), all[0], all[ROOM - 1]), (ROOM, 1, 3));
        answers.put(&[4; ROOM]).unwrap();
    }
}
