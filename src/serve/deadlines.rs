//! Deadlines of numbered slots, the earliest first. A step is O(log n) at most in those that have one, and
//! none but [`Deadlines::make_room`] needs memory.

use std::time::Instant;

use crate::os::memory::{NoMemory, extend, push, reserve};

#[derive(Clone, Copy, Debug)]
struct Entry {
    deadline: Instant,
    slot: u32,
}

/// Where a slot without a deadline is.
const NOWHERE: u32 = u32::MAX;

/// A binary heap that knows where each slot is.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    heap: Vec<Entry>,
    /// The place of each slot's entry in the heap.
    places: Vec<u32>,
    /// Entries looked at.
    #[cfg(test)]
    pub(super) steps: u64,
}

impl Deadlines {
    /// Makes an empty heap for no slot.
    pub(super) const fn new() -> Self {
        Self {
            heap: Vec::new(),
            places: Vec::new(),
            #[cfg(test)]
            steps: 0,
        }
    }

    /// Makes room for so many slots in all.
    pub(super) fn make_room(&mut self, slots: usize) -> Result<(), NoMemory> {
        if self.heap.capacity() < slots {
            // Most connections have no deadline: memory that was never used is not copied, and so costs
            // nothing yet.
            let mut larger = Vec::new();
            reserve(&mut larger, slots.max(2 * self.heap.capacity()))?;
            extend(&mut larger, self.heap.iter().copied())?;
            self.heap = larger;
        }
        while self.places.len() < slots {
            push(&mut self.places, NOWHERE).map_err(|_| NoMemory)?;
        }
        Ok(())
    }

    /// Returns the earliest deadline and its slot.
    pub(super) fn first(&self) -> Option<(Instant, u32)> {
        self.heap.first().map(|entry| (entry.deadline, entry.slot))
    }

    /// Sets the deadline of a slot that has none.
    pub(super) fn insert(&mut self, slot: u32, deadline: Instant) {
        let entry = Entry { deadline, slot };
        // `make_room` has made room.
        if (slot as usize) < self.places.len() && push(&mut self.heap, entry).is_ok() {
            self.rise(self.heap.len() - 1, entry);
        }
    }

    /// Takes a slot's deadline away, and returns it. `None` if it has none.
    pub(super) fn remove(&mut self, slot: u32) -> Option<Instant> {
        let place = self.places.get_mut(slot as usize)?;
        let at = std::mem::replace(place, NOWHERE) as usize;
        let deadline = self.heap.get(at)?.deadline;
        // The last one comes into its place.
        if let Some(last) = self.heap.pop().filter(|last| last.slot != slot) {
            self.rise(at, last);
        }
        Some(deadline)
    }

    /// Forgets all of them; frees nothing.
    pub(super) fn clear(&mut self) {
        self.heap.clear();
        self.places.fill(NOWHERE);
    }

    fn entry(&mut self, at: usize) -> Option<Entry> {
        #[cfg(test)]
        {
            self.steps += 1;
        }
        self.heap.get(at).copied()
    }

    fn put(&mut self, at: usize, entry: Entry) {
        if let (Some(here), Some(place)) =
            (self.heap.get_mut(at), self.places.get_mut(entry.slot as usize))
        {
            *here = entry;
            *place = at as u32;
        }
    }

    /// Puts an entry where it belongs: `at`, or nearer to one end of the heap.
    fn rise(&mut self, mut at: usize, entry: Entry) {
        while at > 0 {
            let parent = (at - 1) / 2;
            match self.entry(parent) {
                Some(above) if above.deadline > entry.deadline => self.put(at, above),
                _ => break,
            }
            at = parent;
        }
        self.sink(at, entry);
    }

    fn sink(&mut self, mut at: usize, entry: Entry) {
        let mut child = 2 * at + 1;
        while let Some(mut below) = self.entry(child) {
            if let Some(other) = self.entry(child + 1).filter(|o| o.deadline < below.deadline) {
                (below, child) = (other, child + 1);
            }
            if below.deadline >= entry.deadline {
                break;
            }
            self.put(at, below);
            at = child;
            child = 2 * at + 1;
        }
        self.put(at, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::time::Duration;

    /// Numbers that look random, the same in every run.
    fn numbers() -> impl Iterator<Item = u32> {
        std::iter::successors(Some(1_u64), |n| {
            Some(n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
        })
        .map(|n| (n >> 33) as u32)
    }

    #[test]
    fn the_earliest_is_first_whatever_comes_and_goes() {
        const SLOTS: u32 = 300;
        let start = Instant::now();
        let (mut deadlines, mut model) = (Deadlines::new(), BTreeSet::new());
        deadlines.make_room(SLOTS as usize).unwrap();
        let mut has = vec![None; SLOTS as usize];
        for number in numbers().take(if cfg!(miri) { 300 } else { 20_000 }) {
            let slot = number % SLOTS;
            if let Some(deadline) = has[slot as usize].take() {
                assert_eq!(deadlines.remove(slot), Some(deadline));
                model.remove(&(deadline, slot));
            } else {
                // Each once, so that there is one answer.
                let deadline =
                    start + Duration::from_nanos(u64::from(number / SLOTS) * 300 + u64::from(slot));
                deadlines.insert(slot, deadline);
                model.insert((deadline, slot));
                has[slot as usize] = Some(deadline);
            }
            assert_eq!(deadlines.first(), model.first().copied());
        }
        deadlines.clear();
        assert_eq!(deadlines.first(), None);
        deadlines.insert(3, start);
        assert_eq!(deadlines.first(), Some((start, 3)));
    }

    #[test]
    fn what_has_no_deadline_or_is_no_slot_changes_nothing() {
        let mut deadlines = Deadlines::new();
        deadlines.insert(0, Instant::now());
        deadlines.make_room(1).unwrap();
        assert_eq!((deadlines.remove(0), deadlines.remove(7)), (None, None));
        assert_eq!(deadlines.first(), None);
    }
}
