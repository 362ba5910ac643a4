//! Shutting down without losing a request.
//!
//! No new connection is taken any more, and idle kept ones are closed. But whoever has connected
//! already is sending a request that no other process can answer: it is waited for, briefly, and
//! served. So is a connection that this process was woken for and had not accepted yet, because the
//! kernel woke no other for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connected::{Connected, new_session};
use super::head::{Outcome, receive_head};
use super::listener::{Arrival, Listener, Rest, Terms};
use super::parking::Stage;
use crate::os::poll::{self, PollFd, READABLE};
use crate::os::socket;

/// How long the connections that have not had a request yet may take to send it.
const PATIENCE: Duration = Duration::from_millis(80);

impl Listener {
    /// One more request, if there is any; then every parked connection is closed.
    pub(super) fn last_call(
        self: &Arc<Self>,
        given: Option<Connected>,
        terms: &Terms,
    ) -> Option<Arrival> {
        let end = Instant::now().checked_add(PATIENCE);
        let mut undecided: Vec<Connected> = self.accept_announced(terms).into_iter().collect();
        let mut next = given.map(|given| (given, Stage::Idle));
        while let Some((connected, stage)) = next.take().or_else(|| self.take_any()) {
            if stage == Stage::Lingering {
                self.close(connected);
            } else if let Some(arrival) = self.ask(connected, stage, terms, &mut undecided) {
                return Some(self.last(arrival, undecided));
            }
        }
        while !undecided.is_empty() {
            let mut fds: Vec<_> =
                undecided.iter().map(|connected| PollFd::new(connected.fd, READABLE)).collect();
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left.is_none_or(|left| left.is_zero()) {
                break;
            }
            // What came true, if anything, shows when they are asked.
            let _ = poll::poll(&mut fds, left);
            for connected in std::mem::take(&mut undecided) {
                if let Some(arrival) = self.ask(connected, Stage::Silent, terms, &mut undecided) {
                    return Some(self.last(arrival, undecided));
                }
            }
        }
        undecided.into_iter().for_each(|connected| self.close(connected));
        None
    }

    /// Looks for a request on a connection. Without one, a connection that never had a request goes
    /// to the undecided, any other is closed.
    fn ask(
        self: &Arc<Self>,
        mut connected: Connected,
        stage: Stage,
        terms: &Terms,
        undecided: &mut Vec<Connected>,
    ) -> Option<Arrival> {
        match receive_head(&mut connected, terms) {
            Outcome::Ready(begin) => return Some((connected, begin)),
            Outcome::Partial => undecided.push(connected),
            Outcome::Silent if stage != Stage::Idle => undecided.push(connected),
            Outcome::Silent | Outcome::Refused | Outcome::Over => self.close(connected),
        }
        None
    }

    /// A request after which its connection is closed. The undecided wait for the next call.
    fn last(self: &Arc<Self>, arrival: Arrival, undecided: Vec<Connected>) -> Arrival {
        for connected in undecided {
            self.park(connected, Rest { stage: Stage::Partial, deadline: None });
        }
        let (connected, mut begin) = arrival;
        begin.keep = false;
        (connected, begin)
    }

    fn accept_announced(self: &Arc<Self>, terms: &Terms) -> Option<Connected> {
        if !self.take_announced() {
            return None;
        }
        let (fd, peer) = socket::accept(self.fd).ok()?;
        let connected = Connected::new(fd, new_session());
        if terms.config.peers.admits(&peer) {
            return Some(connected);
        }
        self.close(connected);
        None
    }
}
