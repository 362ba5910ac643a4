//! The latest slot of each descriptor.

use std::os::fd::RawFd;

use crate::os::memory::{NoMemory, push};

/// A map from descriptors to the slots in which they were noted last.
#[derive(Debug, Default)]
pub(super) struct Descriptors {
    /// The number of the slot plus one; 0 without one.
    slots: Vec<u32>,
}

impl Descriptors {
    /// Reserves memory for a descriptor.
    pub(super) fn make_room(&mut self, fd: RawFd) -> Result<(), NoMemory> {
        let wanted = usize::try_from(fd).map_or(0, |fd| fd + 1);
        while self.slots.len() < wanted {
            push(&mut self.slots, 0).map_err(|_| NoMemory)?;
        }
        Ok(())
    }

    /// Returns the slot of a descriptor.
    pub(super) fn slot(&self, fd: RawFd) -> Option<u32> {
        self.slots.get(usize::try_from(fd).ok()?)?.checked_sub(1)
    }

    /// Notes the slot of a descriptor for which [`Descriptors::make_room`] has reserved memory.
    pub(super) fn set(&mut self, fd: RawFd, slot: u32) {
        let entry = usize::try_from(fd).ok().and_then(|fd| self.slots.get_mut(fd));
        if let Some(entry) = entry {
            *entry = slot + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_has_the_slot_that_was_noted_last() {
        let mut descriptors = Descriptors::default();
        for (fd, slot) in [(5, 0), (7, 1), (5, 2)] {
            descriptors.make_room(fd).unwrap();
            descriptors.set(fd, slot);
        }
        let slots = |descriptors: &Descriptors| [-1, 5, 6, 7, 8].map(|fd| descriptors.slot(fd));
        assert_eq!(slots(&descriptors), [None, Some(2), None, Some(1), None]);
        descriptors.make_room(-1).unwrap();
        descriptors.set(-1, 3);
        assert_eq!(slots(&descriptors), [None, Some(2), None, Some(1), None]);
    }
}
