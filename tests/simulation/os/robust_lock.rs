//! The lock for sending on a connection. No thread ends while it holds one here.

use super::lock::{Guard, Lock};
use super::threads;

#[derive(Debug, Default)]
pub struct RobustLock(Lock<()>);

/// Holds a [`RobustLock`] while it lives.
#[must_use]
pub struct Held<'a> {
    _guard: Guard<'a, ()>,
}

impl Held<'_> {
    pub fn has_others(&self) -> bool {
        !threads::only_one()
    }
}

impl RobustLock {
    pub const fn new() -> Self {
        Self(Lock::new(()))
    }

    pub fn lock(&self) -> Held<'_> {
        Held { _guard: self.0.lock() }
    }

    pub fn try_lock(&self) -> Option<Held<'_>> {
        self.0.try_lock().map(|guard| Held { _guard: guard })
    }
}
