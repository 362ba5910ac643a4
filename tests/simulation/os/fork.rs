//! Fork detection, in the process of the calling task.

use std::sync::{Mutex, PoisonError};

use crate::kernel::tasks::{here, with};

pub fn set_child_clean_up(clean_up: fn()) {
    here(|process| process.clean_up = Some(clean_up));
}

pub fn generation() -> usize {
    here(|process| process.generation)
}

pub fn has_family() -> bool {
    here(|process| process.generation > 0 || process.forks > 0)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForkEpoch(usize);

impl ForkEpoch {
    /// Returns the current epoch. A simulated fork takes no time, so none is in progress.
    pub fn now() -> Self {
        Self(here(|process| process.forks))
    }

    pub fn is_before_a_fork(self) -> bool {
        here(|process| process.forks) != self.0
    }
}

/// The world, the process and its generation.
type Owner = (u64, usize, usize);

/// A value for each process of each world.
pub struct PerProcess<T: 'static>(Mutex<Vec<(Owner, &'static T)>>);

fn owner() -> Owner {
    let (process, generation) = here(|process| (process.number, process.generation));
    (with(|kernel| kernel.world), process, generation)
}

impl<T: Default + Send + Sync + 'static> PerProcess<T> {
    pub const fn new(_first: T) -> Self
    where
        T: Default,
    {
        // `T` may contain a lock, whose destructor must not run here.
        std::mem::forget(_first);
        Self(Mutex::new(Vec::new()))
    }

    pub fn get(&self) -> Option<&T> {
        let owner = owner();
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Drops the values of earlier worlds.
        values.retain(|((world, ..), _)| *world == owner.0);
        if let Some((_, value)) = values.iter().find(|(other, _)| *other == owner) {
            return Some(value);
        }
        let value: &'static T = Box::leak(Box::default());
        values.push((owner, value));
        Some(value)
    }

    pub fn existing(&self) -> Option<&T> {
        let owner = owner();
        let values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        values.iter().find(|(other, _)| *other == owner).map(|(_, value)| *value)
    }

    pub fn inherited(&self) -> Option<&T> {
        let (world, process, generation) = owner();
        let values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let parents =
            |&&((w, p, g), _): &&(Owner, &T)| w == world && p == process && g < generation;
        values.iter().rev().find(parents).map(|(_, value)| *value)
    }
}
