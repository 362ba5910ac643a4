//! Answers to management records that wait for whoever sends next.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use once_cell::race::OnceBox;

use crate::os::memory::{NoMemory, boxed, extend};

/// Bytes that may wait: over forty answers of the longest kind. A power of two.
const ROOM: usize = 4096;

/// Bytes sent at a time.
const PIECE: usize = 256;

/// Whole records, put in by the one thread that reads the connection and taken out by one thread at a
/// time. There is no lock that a fork could leave locked.
#[derive(Debug)]
pub(super) struct Answers {
    /// Made when the first record has to wait.
    ring: OnceBox<Ring>,
    /// Bytes put in and taken out so far; both wrap.
    put: AtomicUsize,
    taken: AtomicUsize,
}

/// `ROOM` bytes, of which any may be the first.
#[derive(Debug)]
struct Ring(Vec<AtomicU8>);

impl Ring {
    fn new() -> Result<Box<Self>, NoMemory> {
        let mut bytes = Vec::new();
        extend(&mut bytes, (0..ROOM as u16).map(|_| AtomicU8::new(0)))?;
        boxed(Self(bytes))
    }

    /// The places from this byte on, once around.
    fn places(&self, start: usize) -> impl Iterator<Item = &AtomicU8> {
        let start = start % ROOM;
        self.0.iter().skip(start).chain(self.0.iter().take(start))
    }
}

impl Answers {
    /// None yet.
    pub(super) const fn new() -> Self {
        Self { ring: OnceBox::new(), put: AtomicUsize::new(0), taken: AtomicUsize::new(0) }
    }

    /// Whether none waits. In one order with everything that is sequentially consistent.
    pub(super) fn is_empty(&self) -> bool {
        self.put.load(Ordering::SeqCst) == self.taken.load(Ordering::SeqCst)
    }

    /// Puts a record in. Without room or memory for it that is an error.
    pub(super) fn put(&self, record: &[u8]) -> Result<(), NoMemory> {
        let ring = self.ring.get_or_try_init(Ring::new)?;
        let start = self.put.load(Ordering::Relaxed);
        let waiting = start.wrapping_sub(self.taken.load(Ordering::SeqCst));
        if record.len() > ROOM.saturating_sub(waiting) {
            return Err(NoMemory);
        }
        for (place, byte) in ring.places(start).zip(record) {
            place.store(*byte, Ordering::Relaxed);
        }
        self.put.store(start.wrapping_add(record.len()), Ordering::SeqCst);
        Ok(())
    }

    /// Returns what is next to be sent: so many of these bytes. They stay until [`Answers::sent`], so that
    /// what is not sent at all is still there from the start of a record on.
    pub(super) fn next(&self) -> ([u8; PIECE], usize) {
        let start = self.taken.load(Ordering::Relaxed);
        let count = self.put.load(Ordering::SeqCst).wrapping_sub(start).min(PIECE);
        let mut bytes = [0; PIECE];
        if let Some(ring) = self.ring.get() {
            for (byte, place) in bytes.iter_mut().zip(ring.places(start)).take(count) {
                *byte = place.load(Ordering::Relaxed);
            }
        }
        (bytes, count)
    }

    /// Takes out as many bytes. Once none is left, whole records have been sent.
    pub(super) fn sent(&self, count: usize) {
        let start = self.taken.load(Ordering::Relaxed);
        self.taken.store(start.wrapping_add(count), Ordering::SeqCst);
    }

    /// Forgets all of them.
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
