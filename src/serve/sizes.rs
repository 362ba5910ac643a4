//! The sizes of the exchanges of parked connections.

use std::cmp::Reverse;

use super::heap::Heap;
use crate::os::memory::NoMemory;

/// Sizes of parked exchanges, as far as they count ([`Exchange::held`](super::exchange::Exchange::held)).
#[derive(Debug, Default)]
pub(super) struct Sizes {
    /// The largest is first.
    heap: Heap<Reverse<usize>>,
    sum: usize,
}

impl Sizes {
    /// Reserves memory for this number of slots.
    pub(super) fn make_room(&mut self, slots: usize) -> Result<(), NoMemory> {
        self.heap.make_room(slots)
    }

    /// Adds the exchange of a slot that has none.
    pub(super) fn insert(&mut self, slot: u32, size: usize) {
        if size > 0 {
            self.heap.insert(slot, Reverse(size));
            self.sum += size;
        }
    }

    /// Removes the exchange of a slot.
    pub(super) fn remove(&mut self, slot: u32) {
        if let Some(Reverse(size)) = self.heap.remove(slot) {
            self.sum -= size;
        }
    }

    /// Removes all exchanges; frees no memory.
    pub(super) fn clear(&mut self) {
        self.heap.clear();
        self.sum = 0;
    }

    /// Returns the sum of all sizes, and the largest.
    pub(super) fn sum_and_largest(&self) -> (usize, usize) {
        (self.sum, self.largest().map_or(0, |(size, _)| size))
    }

    /// Returns the size of the largest exchange, and its slot.
    pub(super) fn largest(&self) -> Option<(usize, u32)> {
        self.heap.first().map(|(Reverse(size), slot)| (size, slot))
    }
}
