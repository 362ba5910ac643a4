//! A lock that never fails and never allocates. Its whole state is in its own memory, without a
//! process-wide table of waiting threads: after fork a child finds it as it was.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// A value that one thread at a time may use.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    /// Returns a lock that is free.
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Locks the value, waiting until no other thread uses it.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        // Poison would mean that a thread has panicked while holding the lock; no thread does.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the value, unless another thread uses it.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
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
