//! On what terms a thread waits for a request.

use std::time::{Duration, Instant};

use super::config::Config;
use crate::os::{clock, signal};

/// What a caller of [`Listener::next`](super::listener::Listener::next) asks for.
#[derive(Clone, Copy, Debug)]
pub struct AcceptOptions {
    /// Whether a signal ends the wait (FCGI_FAIL_ACCEPT_ON_INTR).
    pub fail_on_intr: bool,
    /// The settings.
    pub config: &'static Config,
    /// When the wait ends without a request. The program's limit for the listen socket may end it
    /// earlier.
    pub until: Option<Instant>,
    /// Whether the first wait is a short one, after which the listen socket's flags are looked at.
    pub looks: bool,
}

impl AcceptOptions {
    /// The same, with another end if that is earlier.
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

    /// Returns how long a wait may take that takes so long at most.
    pub(super) fn wait(&self, longest: Duration) -> Duration {
        let left = self.until.map(|end| end.saturating_duration_since(clock::now()));
        left.map_or(longest, |left| left.min(longest))
    }

    /// Whether the signal that has interrupted a wait ends it as it would have ended accept.
    pub(super) fn ends_by_signal(&self) -> bool {
        self.fail_on_intr && !signal::shutdown_requested() && signal::would_interrupt_accept()
    }
}
