//! Which connections a connection without a request waits with.

use std::time::Duration;

/// How a connection without a request waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Company {
    /// In the pool, with all others.
    Pool,
    /// Alone: a thread waits for it and for nothing else. For this time at most, or without limit until
    /// its deadline.
    Alone(Option<Duration>),
}
