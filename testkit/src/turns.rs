//! Turns of the tests in one program: a test with a limit of real time runs alone, so that a busy
//! machine does not make it fail.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static TURN: RwLock<()> = RwLock::new(());

/// Waits until no other test of the program runs, and keeps others from running.
///
/// Every test of a program that has such tests begins with this or with [`beside_others`].
pub fn alone() -> RwLockWriteGuard<'static, ()> {
    TURN.write().unwrap_or_else(PoisonError::into_inner)
}

/// Runs next to other tests of the program that also call this.
pub fn beside_others() -> RwLockReadGuard<'static, ()> {
    TURN.read().unwrap_or_else(PoisonError::into_inner)
}
