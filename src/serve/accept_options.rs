//! What a caller of accept asks for.

use std::time::{Duration, Instant};

use super::config::Config;
use crate::os::{clock, shutdown, signal};

/// Options of one call of [`Listener::next`](super::listener::Listener::next).
#[derive(Clone, Copy, Debug)]
pub struct AcceptOptions {
    /// Whether a signal ends the wait (FCGI_FAIL_ACCEPT_ON_INTR).
    pub fail_on_intr: bool,
    /// The settings of the process.
    pub config: &'static Config,
    /// When the wait ends without a request. The program's timeout of the listen socket may end it
    /// earlier.
    pub until: Option<Instant>,
    /// Whether the first wait is a short one, after which the listen socket's flags are checked.
    pub looks: bool,
}

impl AcceptOptions {
    /// Returns the same options with another end of the wait, if that is earlier.
    pub(super) fn until(self, end: Option<Instant>) -> Self {
        let until = match (self.until, end) {
            (Some(until), Some(end)) => Some(until.min(end)),
            (until, end) => until.or(end),
        };
        Self { until, ..self }
    }

    pub(super) fn is_over(&self) -> bool {
        self.until.is_some_and(|end| end <= clock::now())
    }

    /// Returns `longest`, or the time that is left if that is shorter.
    pub(super) fn wait(&self, longest: Duration) -> Duration {
        let left = self.until.map(|end| end.saturating_duration_since(clock::now()));
        left.map_or(longest, |left| left.min(longest))
    }

    /// Returns whether the signal that interrupted a wait ends it, as it would have ended accept.
    pub(super) fn ends_by_signal(&self) -> bool {
        self.fail_on_intr && !shutdown::is_requested() && signal::would_interrupt_accept()
    }
}
