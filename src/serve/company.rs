//! With whom a connection waits.

use std::time::Duration;

/// With whom a connection without a request waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Company {
    /// With all others.
    Pool,
    /// With a thread of its own, for so long; without a limit as long as its deadline lets it.
    Alone(Option<Duration>),
}
