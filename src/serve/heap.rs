//! A heap of slot numbers, ordered by a key that some of the slots have; the least key is first. A step
//! is O(log n) at most in the number of keys. Only [`Heap::make_room`] allocates.

use crate::os::memory::{NoMemory, extend, push, reserve};

#[derive(Clone, Copy, Debug)]
struct Entry<K> {
    key: K,
    slot: u32,
}

/// The index of a slot without a key.
const NOWHERE: u32 = u32::MAX;

/// A binary heap with the index of each slot.
#[derive(Debug)]
pub(super) struct Heap<K> {
    heap: Vec<Entry<K>>,
    /// The index of each slot's entry in `heap`.
    indices: Vec<u32>,
    /// Entries read.
    #[cfg(test)]
    pub(super) steps: u64,
}

impl<K> Default for Heap<K> {
    fn default() -> Self {
        Self {
            heap: Vec::new(),
            indices: Vec::new(),
            #[cfg(test)]
            steps: 0,
        }
    }
}

impl<K: Copy + Ord> Heap<K> {
    /// Reserves memory for this number of slots.
    pub(super) fn make_room(&mut self, slots: usize) -> Result<(), NoMemory> {
        if self.heap.capacity() < slots {
            // Most slots have no key. Memory that was never used is not copied, so it costs nothing yet.
            let mut larger = Vec::new();
            reserve(&mut larger, slots.max(2 * self.heap.capacity()))?;
            extend(&mut larger, self.heap.iter().copied())?;
            self.heap = larger;
        }
        while self.indices.len() < slots {
            push(&mut self.indices, NOWHERE).map_err(|_| NoMemory)?;
        }
        Ok(())
    }

    /// Returns the least key and its slot.
    pub(super) fn first(&self) -> Option<(K, u32)> {
        self.heap.first().map(|entry| (entry.key, entry.slot))
    }

    /// Sets the key of a slot that has none.
    pub(super) fn insert(&mut self, slot: u32, key: K) {
        let entry = Entry { key, slot };
        // `make_room` has made room.
        if (slot as usize) < self.indices.len() && push(&mut self.heap, entry).is_ok() {
            self.rise(self.heap.len() - 1, entry);
        }
    }

    /// Removes the key of a slot and returns it. `None` if the slot has none.
    pub(super) fn remove(&mut self, slot: u32) -> Option<K> {
        let index = self.indices.get_mut(slot as usize)?;
        let at = std::mem::replace(index, NOWHERE) as usize;
        let key = self.heap.get(at)?.key;
        // The last entry moves to its index.
        if let Some(last) = self.heap.pop().filter(|last| last.slot != slot) {
            self.rise(at, last);
        }
        Some(key)
    }

    /// Removes all keys; frees no memory.
    pub(super) fn clear(&mut self) {
        self.heap.clear();
        self.indices.fill(NOWHERE);
    }

    fn entry(&mut self, at: usize) -> Option<Entry<K>> {
        #[cfg(test)]
        {
            self.steps += 1;
        }
        self.heap.get(at).copied()
    }

    fn put(&mut self, at: usize, entry: Entry<K>) {
        if let (Some(here), Some(index)) =
            (self.heap.get_mut(at), self.indices.get_mut(entry.slot as usize))
        {
            *here = entry;
            *index = at as u32;
        }
    }

    /// Puts an entry at its index: `at`, or nearer to one end of the heap.
    fn rise(&mut self, mut at: usize, entry: Entry<K>) {
        while at > 0 {
            let parent = (at - 1) / 2;
            match self.entry(parent) {
                Some(above) if above.key > entry.key => self.put(at, above),
                _ => break,
            }
            at = parent;
        }
        self.sink(at, entry);
    }

    fn sink(&mut self, mut at: usize, entry: Entry<K>) {
        let mut child = 2 * at + 1;
        while let Some(mut below) = self.entry(child) {
            if let Some(other) = self.entry(child + 1).filter(|o| o.key < below.key) {
                (below, child) = (other, child + 1);
            }
            if below.key >= entry.key {
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
    use std::time::{Duration, Instant};

    /// Returns pseudo-random numbers, the same in every run.
    fn numbers() -> impl Iterator<Item = u32> {
        std::iter::successors(Some(1_u64), |n| {
            Some(n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
        })
        .map(|n| (n >> 33) as u32)
    }

    #[test]
    fn the_least_is_first_whatever_comes_and_goes() {
        const SLOTS: u32 = 300;
        let start = Instant::now();
        let (mut heap, mut model) = (Heap::default(), BTreeSet::new());
        heap.make_room(SLOTS as usize).unwrap();
        let mut has = vec![None; SLOTS as usize];
        for number in numbers().take(if cfg!(miri) { 300 } else { 20_000 }) {
            let slot = number % SLOTS;
            if let Some(deadline) = has[slot as usize].take() {
                assert_eq!(heap.remove(slot), Some(deadline));
                model.remove(&(deadline, slot));
            } else {
                // Each deadline is unique, so that there is one answer.
                let deadline =
                    start + Duration::from_nanos(u64::from(number / SLOTS) * 300 + u64::from(slot));
                heap.insert(slot, deadline);
                model.insert((deadline, slot));
                has[slot as usize] = Some(deadline);
            }
            assert_eq!(heap.first(), model.first().copied());
        }
        heap.clear();
        assert_eq!(heap.first(), None);
        heap.insert(3, start);
        assert_eq!(heap.first(), Some((start, 3)));
    }

    #[test]
    fn what_has_no_key_or_is_no_slot_changes_nothing() {
        let mut heap = Heap::default();
        heap.insert(0, Instant::now());
        heap.make_room(1).unwrap();
        assert_eq!((heap.remove(0), heap.remove(7)), (None, None));
        assert_eq!(heap.first(), None);
    }
}
