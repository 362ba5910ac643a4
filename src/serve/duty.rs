//! What a thread that is going to sleep is needed for.

use super::accept_options::AcceptOptions;

/// What a thread is needed for, while it sleeps in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    /// It asks the kernel at once: its time is over, or something else is to be done.
    Ask,
    /// Connections are unarmed, and one thread sees to them in a moment.
    Unarmed,
    /// Nothing but what comes.
    None,
}

impl Duty {
    /// Returns what one is needed for that waits on these terms.
    pub(super) fn of(is_any_unarmed: bool, options: &AcceptOptions) -> Self {
        match is_any_unarmed {
            _ if options.is_over() => Self::Ask,
            true => Self::Unarmed,
            false => Self::None,
        }
    }
}
