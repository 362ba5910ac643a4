//! Errors of accept4 that may pass.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use super::patience::{MOST_AT_ONCE, MOST_ERRORS, SOON};
use crate::os::clock;
use crate::os::lock::Lock;

/// What the caller of accept4 does after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consequence {
    TryAgain,
    /// Try again after a pause.
    Pause,
    /// Return the error: it does not pass.
    Return,
}

/// Counts errors in a row.
#[derive(Debug)]
pub(super) struct Troubles {
    count: AtomicU32,
    last: Lock<Option<Instant>>,
}

impl Troubles {
    pub(super) const fn new() -> Self {
        Self { count: AtomicU32::new(0), last: Lock::new(None) }
    }

    /// Ends the row.
    pub(super) fn are_over(&self) {
        self.count.store(0, Ordering::Relaxed);
    }

    /// Counts an error and decides what follows. Errors that do not pass, as in a sandbox that refuses
    /// the call, are returned in the end.
    #[cold]
    pub(super) fn next(&self, has_connection: impl Fn() -> bool) -> Consequence {
        let now = clock::now();
        let last = self.last.lock().replace(now);
        if last.is_none_or(|last| now.duration_since(last) > SOON) {
            self.are_over();
        }
        let before = self.count.fetch_add(1, Ordering::Relaxed);
        if before < MOST_AT_ONCE {
            Consequence::TryAgain
        } else if before >= MOST_ERRORS || !has_connection() {
            Consequence::Return
        } else {
            Consequence::Pause
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_ends_with_an_error_that_is_returned() {
        let troubles = Troubles::new();
        let row = |has_connection: bool| {
            troubles.are_over();
            let mut row = vec![troubles.next(|| has_connection)];
            while row.last() != Some(&Consequence::Return) {
                row.push(troubles.next(|| has_connection));
            }
            let count = |what| row.iter().filter(|c| **c == what).count() as u32;
            (count(Consequence::TryAgain), count(Consequence::Pause))
        };
        assert_eq!(row(false), (MOST_AT_ONCE, 0));
        assert_eq!(row(true), (MOST_AT_ONCE, MOST_ERRORS - MOST_AT_ONCE));
    }
}
