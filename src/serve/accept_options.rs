//! What a caller of accept asks for.

use std::time::{Duration, Instant};

use super::cancel::Cancel;
use super::config::Config;
use super::patience::{CALL_PAUSE, CANCEL_INTERVAL};
use crate::os::{clock, poll, shutdown, signal};

/// Who says how long a call of accept waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The listen socket: with O_NONBLOCK the call does not wait, and SO_RCVTIMEO may end the wait.
    Socket,
    /// The caller, by [`AcceptOptions::until`], whatever the socket says.
    Caller,
}

impl Limit {
    /// Returns whether no connection may wait in the pool: the program polls the listen socket, and would not
    /// hear of it.
    pub(super) const fn forbids_pool(self, config: &Config) -> bool {
        matches!(self, Self::Socket) && !config.keep_connections
    }
}

/// Options of one call of [`Listener::next`](super::listener::Listener::next).
#[derive(Clone, Copy, Debug)]
pub struct AcceptOptions<'a> {
    /// Whether a signal ends the wait (FCGI_FAIL_ACCEPT_ON_INTR).
    pub fail_on_intr: bool,
    /// The settings of the process.
    pub config: &'static Config,
    /// When the wait ends without a request. The program's timeout of the listen socket may end it
    /// earlier.
    pub until: Option<Instant>,
    /// Whether the first wait is a short one, after which the listen socket's flags are checked.
    pub looks: bool,
    /// Who says how long the call waits.
    pub limit: Limit,
    /// What ends the wait from another thread or a signal handler.
    pub cancel: Option<&'a Cancel>,
}

/// Lets the thread go first that was called, as far as the options allow. It comes in a moment; until then
/// the wake-up stays readable.
#[cold]
pub(super) fn pause_for_call(options: &AcceptOptions) {
    let _ = poll::poll(&mut [], Some(options.wait(CALL_PAUSE)));
}

impl AcceptOptions<'_> {
    /// Returns the options of a call that waits as the listen socket says.
    pub const fn plain(config: &'static Config) -> Self {
        let limit = Limit::Socket;
        Self { fail_on_intr: false, config, until: None, looks: false, limit, cancel: None }
    }

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

    /// Returns `longest`, or how long a thread may wait that is draining if that is shorter.
    pub(super) fn longest_while_draining(&self, longest: Duration) -> Duration {
        if self.cancel.is_some() { longest.min(CANCEL_INTERVAL) } else { longest }
    }

    /// Returns whether the caller has set a limit, which even a wait for one connection keeps.
    pub(super) const fn has_callers_limit(&self) -> bool {
        matches!(self.limit, Limit::Caller) && self.until.is_some()
    }

    /// Returns whether the call was cancelled.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancel.is_some_and(Cancel::is_cancelled)
    }

    /// Returns whether the signal that interrupted a wait ends it, as it would have ended accept.
    pub(super) fn ends_by_signal(&self) -> bool {
        self.fail_on_intr && !shutdown::is_requested() && signal::would_interrupt_accept()
    }
}
