//! A lock whose threads wait in the simulated kernel: taking it is a scheduling point.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::kernel::tasks::{call, unlocked, wait};

#[derive(Default)]
pub struct Lock<T>(Mutex<T>);

/// Holds a [`Lock`] while it lives.
pub struct Guard<'a, T> {
    lock: &'a Lock<T>,
    value: Option<MutexGuard<'a, T>>,
}

impl<T> Lock<T> {
    pub const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    fn address(&self) -> usize {
        ptr::from_ref(self).addr()
    }

    fn take(&self) -> Option<Guard<'_, T>> {
        match self.0.try_lock() {
            Ok(value) => Some(Guard { lock: self, value: Some(value) }),
            Err(std::sync::TryLockError::Poisoned(poison)) => {
                Some(Guard { lock: self, value: Some(PoisonError::into_inner(poison)) })
            }
            Err(std::sync::TryLockError::WouldBlock) => None,
        }
    }

    pub fn lock(&self) -> Guard<'_, T> {
        let address = self.address();
        wait(
            "a lock",
            None,
            |_, _| self.take(),
            |kernel, me, enters| kernel.queue_for_lock(address, me, enters),
        )
        .unwrap_or_else(|_| unreachable!("no signal ends it"))
    }

    pub fn try_lock(&self) -> Option<Guard<'_, T>> {
        call(|_, _| self.take())
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().unwrap()
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().unwrap()
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.value = None;
        unlocked(self.lock.address());
    }
}

impl<T> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lock")
    }
}
