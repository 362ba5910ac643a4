//! A lock that never fails, allocates nothing, and is nothing but its own memory: a child after fork
//! finds it as it was, and no table of waiting threads beside it.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// A value that one thread at a time may use.
#[derive(Debug, Default)]
pub struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    /// An open lock.
    pub const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Waits until no other thread uses the value.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        // Poison says that a thread has panicked here; none does.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value, unless another thread uses it at this moment.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poison)) => Some(poison.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_in_use_can_be_waited_for_or_left() {
        let lock = Lock::new(1);
        let mut guard = lock.lock();
        assert!(lock.try_lock().is_none());
        *guard = 2;
        drop(guard);
        assert_eq!(lock.try_lock().map(|guard| *guard), Some(2));
    }
}
