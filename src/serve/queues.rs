//! Queues of slot numbers: each slot is in one of them, or in none. Every step is O(1). Only
//! [`Queues::make_room`] allocates.

use crate::os::memory::{NoMemory, push};

#[derive(Clone, Copy, Debug)]
struct Link {
    before: u32,
    behind: u32,
}

/// A number of queues, numbered from 0.
///
/// Each is a ring of links. The first `QUEUES` links belong to the queues: their rings begin and end there.
/// Slot `n` has the link `n + QUEUES`. A slot that is in no queue is a ring of one link.
#[derive(Debug, Default)]
pub(super) struct Queues<const QUEUES: usize> {
    links: Vec<Link>,
}

impl<const QUEUES: usize> Queues<QUEUES> {
    /// Reserves memory for this number of slots.
    pub(super) fn make_room(&mut self, slots: usize) -> Result<(), NoMemory> {
        while self.links.len() < QUEUES + slots {
            let own = self.links.len() as u32;
            push(&mut self.links, Link { before: own, behind: own }).map_err(|_| NoMemory)?;
        }
        Ok(())
    }

    fn set_before(&mut self, link: u32, before: u32) {
        if let Some(link) = self.links.get_mut(link as usize) {
            link.before = before;
        }
    }

    fn set_behind(&mut self, link: u32, behind: u32) {
        if let Some(link) = self.links.get_mut(link as usize) {
            link.behind = behind;
        }
    }

    fn insert(&mut self, slot: u32, before: u32, behind: u32) {
        let own = slot + QUEUES as u32;
        self.set_behind(before, own);
        self.set_before(behind, own);
        if let Some(link) = self.links.get_mut(own as usize) {
            *link = Link { before, behind };
        }
    }

    /// Removes a slot from its queue.
    pub(super) fn remove(&mut self, slot: u32) {
        let own = slot + QUEUES as u32;
        let Some(&Link { before, behind }) = self.links.get(own as usize) else { return };
        self.set_behind(before, behind);
        self.set_before(behind, before);
        if let Some(link) = self.links.get_mut(own as usize) {
            *link = Link { before: own, behind: own };
        }
    }

    /// Appends a slot that is in no queue.
    pub(super) fn put_last(&mut self, queue: usize, slot: u32) {
        let Some(&Link { before, .. }) = self.links.get(queue) else { return };
        self.insert(slot, before, queue as u32);
    }

    /// Puts a slot that is in no queue in front of the others.
    pub(super) fn put_first(&mut self, queue: usize, slot: u32) {
        let Some(&Link { behind, .. }) = self.links.get(queue) else { return };
        self.insert(slot, queue as u32, behind);
    }

    /// Returns the first slot of a queue.
    pub(super) fn first(&self, queue: usize) -> Option<u32> {
        // The ring of an empty queue ends where it begins.
        self.links.get(queue)?.behind.checked_sub(QUEUES as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Removes all slots of a queue and returns them in order.
    fn drain(queues: &mut Queues<2>, queue: usize) -> Vec<u32> {
        std::iter::from_fn(|| {
            let slot = queues.first(queue)?;
            queues.remove(slot);
            Some(slot)
        })
        .collect()
    }

    #[test]
    fn slots_keep_their_order_in_each_queue() {
        let mut queues = Queues::<2>::default();
        assert_eq!(queues.first(1), None);
        queues.make_room(6).unwrap();
        for slot in 0..6 {
            queues.put_last(slot as usize % 2, slot);
        }
        queues.remove(2);
        queues.remove(2);
        queues.put_last(1, 2);
        queues.remove(5);
        queues.put_first(0, 5);
        assert_eq!(drain(&mut queues, 0), [5, 0, 4]);
        assert_eq!(drain(&mut queues, 1), [1, 3, 2]);
        queues.put_first(0, 3);
        assert_eq!((drain(&mut queues, 0), drain(&mut queues, 1)), (vec![3], vec![]));
    }

    #[test]
    fn what_is_no_slot_or_queue_changes_nothing() {
        let mut queues = Queues::<2>::default();
        queues.put_last(0, 0);
        queues.remove(9);
        queues.make_room(1).unwrap();
        queues.put_last(7, 0);
        assert_eq!((queues.first(0), queues.first(1), queues.first(7)), (None, None, None));
    }
}
