//! Cancelling one wait for a request, from another thread or a signal handler.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::os::shutdown;

/// No thread waits, and the next wait is not cancelled.
const IDLE: u8 = 0;
/// A thread waits.
const WAITING: u8 = 1;
/// The next wait ends immediately.
const CANCELLED: u8 = 2;
/// The thread that waits was called.
const CALLED: u8 = 3;

/// Whether the wait for one request is cancelled. It stays so until a wait has ended by it.
#[derive(Debug)]
pub struct Cancel(AtomicU8);

impl Cancel {
    /// Returns a value that is not cancelled.
    pub const fn new() -> Self {
        Self(AtomicU8::new(IDLE))
    }

    /// Ends the wait, or the next one if no thread waits. Async-signal-safe.
    pub fn cancel(&self) {
        let cancelled = |state| match state {
            IDLE => Some(CANCELLED),
            WAITING => Some(CALLED),
            _ => None,
        };
        // Counted before the thread can notice it: that ends the call.
        shutdown::begin_call();
        let before = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, cancelled);
        if before == Ok(WAITING) {
            shutdown::call_waiting();
        } else {
            shutdown::withdraw_call();
        }
    }

    /// Begins a wait.
    pub(super) fn begin(&self) {
        let _ = self.0.compare_exchange(IDLE, WAITING, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Returns whether the wait is to end.
    pub(super) fn is_cancelled(&self) -> bool {
        matches!(self.0.load(Ordering::SeqCst), CANCELLED | CALLED)
    }

    /// Ends a wait that has ended by itself. If it was cancelled meanwhile, the next one will end by that.
    pub(super) fn end(&self) {
        if self.0.compare_exchange(WAITING, IDLE, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            self.become_idle(CANCELLED);
        }
    }

    /// Ends a wait that was cancelled.
    pub(super) fn end_cancelled(&self) {
        self.become_idle(IDLE);
    }

    #[cold]
    fn become_idle(&self, state: u8) {
        if self.0.swap(state, Ordering::SeqCst) == CALLED {
            shutdown::end_call();
        }
    }
}

impl Default for Cancel {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Cancel {
    fn drop(&mut self) {
        if *self.0.get_mut() == CALLED {
            shutdown::end_call();
        }
    }
}
