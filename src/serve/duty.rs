//! The duty of a thread that is going to sleep.

use super::accept_options::AcceptOptions;

/// What a thread has to do while it sleeps in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    /// It asks the kernel without waiting: its time is over, or other work is due.
    Ask,
    /// It wakes in a moment to see to connections that are unarmed.
    Unarmed,
    /// It waits for events.
    None,
}

impl Duty {
    /// Returns [`Duty::Ask`] if the options say that the wait is over, otherwise this duty.
    pub(super) fn unless_over(self, options: &AcceptOptions) -> Self {
        if options.is_over() { Self::Ask } else { self }
    }
}
