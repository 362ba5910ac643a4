//! Shutting down without losing a request.
//!
//! No new connection is taken any more. But whoever is connected may be sending a request already,
//! which no other process can answer: on a new connection for certain, on a kept one while there is
//! load, and a web server has no way to tell whether what it sent was read. So all of them are waited
//! for, briefly, and a request that comes is served, and its connection closed with the answer. So is
//! a connection that this process was woken for and had not accepted yet, because the kernel woke no
//! other for it.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::connected::Connected;
use super::head::{Outcome, receive_head};
use super::listener::{Arrival, Listener};
use super::parking::{Rest, Stage};
use super::terms::Terms;
use crate::os::io::close;
use crate::os::memory::{extend, push};
use crate::os::poll::{self, PollFd, READABLE};
use crate::os::socket::{self, Accepted};
use crate::os::{mark, signal};

/// How long the connections may take to send a request, from the moment when the first thread looks:
/// every thread is to be back within 100 ms.
const PATIENCE: Duration = Duration::from_millis(60);

/// How often a thread that has none looks whether another one has given some back.
const GLANCE: Duration = Duration::from_millis(2);

/// When the last call of a listener is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    /// [`signal::beginning`] of that time: a library that begins anew has another last call.
    beginning: usize,
    /// `None` only where clocks end.
    at: Option<Instant>,
}

/// A connection on which no request has come yet, and how it has waited so far.
type Undecided = (Connected, Rest);

impl Listener {
    /// One more request, if there is any; then every parked connection is closed. `has_waited`:
    /// whether this thread may be the one that was woken for a connection.
    #[cold]
    pub(super) fn last_call(
        self: &Arc<Self>,
        given: Option<Connected>,
        has_waited: bool,
        terms: &Terms,
    ) -> Option<Arrival> {
        let end = self.end();
        let mut undecided = Vec::new();
        let mut deciding = None;
        if (self.take_announced() || has_waited) && self.is_pooled() {
            if let Some(connected) = self.accept_last(terms) {
                let rest = Rest::new(Stage::Silent, Some(PATIENCE));
                decide_later((connected, rest), &mut undecided);
            }
        }
        let mut next = given.map(|given| (given, Rest::IDLE));
        loop {
            // From before the first look on, or others see nobody with a connection, and leave.
            deciding.get_or_insert_with(|| Deciding::begin(&self.deciding));
            while let Some((connected, rest)) = next.take().or_else(|| self.take_any()) {
                if rest.stage == Stage::Lingering {
                    connected.discard();
                } else if let Some(arrival) = ask((connected, rest), terms, &mut undecided) {
                    return Some(self.last(arrival, undecided.into_iter(), terms));
                }
            }
            let left =
                end.map_or(Duration::ZERO, |end| end.saturating_duration_since(Instant::now()));
            if undecided.is_empty() {
                deciding = None;
                // Another thread gives back what it has when it gets a request.
                if left.is_zero() || self.deciding.load(Ordering::SeqCst) == 0 {
                    return None;
                }
                let _ = poll::poll(&mut [], Some(left.min(GLANCE)));
                continue;
            }
            if left.is_zero() || wait_for_any(&undecided, left).is_err() {
                break;
            }
            // What came true, if anything, shows when they are asked.
            let mut asked = std::mem::take(&mut undecided).into_iter();
            while let Some(connected) = asked.next() {
                if let Some(arrival) = ask(connected, terms, &mut undecided) {
                    return Some(self.last(arrival, undecided.into_iter().chain(asked), terms));
                }
            }
        }
        undecided.into_iter().for_each(|(connected, _)| connected.discard());
        None
    }

    /// A request after which its connection is closed. The undecided wait for the next call.
    fn last(
        self: &Arc<Self>,
        arrival: Arrival,
        undecided: impl Iterator<Item = Undecided>,
        terms: &Terms,
    ) -> Arrival {
        for (connected, rest) in undecided {
            match self.park(connected, rest, false, terms) {
                Ok(Some(surplus)) => self.discard(surplus),
                Ok(None) => {}
                Err(connected) => connected.discard(),
            }
        }
        let (connected, mut begin) = arrival;
        begin.keep = false;
        (connected, begin)
    }

    /// Returns until when connections are waited for; the first thread that asks decides it.
    fn end(&self) -> Option<Instant> {
        let beginning = signal::beginning();
        let mut end = self.end.lock();
        if end.is_none_or(|end| end.beginning != beginning) {
            *end = Some(End { beginning, at: Instant::now().checked_add(PATIENCE) });
        }
        end.and_then(|end| end.at)
    }

    fn accept_last(&self, terms: &Terms) -> Option<Connected> {
        // The number may stand for a new socket of the program's.
        mark::make_nonblocking(self.fd).ok()?;
        let Accepted { fd, peer, since } = socket::accept(self.fd).ok()?;
        if terms.config.peers.admits(&peer) {
            return Connected::open(fd, since).ok();
        }
        close(fd);
        None
    }
}

/// Looks for a request on a connection. One on which nothing has come yet goes to the undecided.
fn ask(
    (mut connected, rest): Undecided,
    terms: &Terms,
    undecided: &mut Vec<Undecided>,
) -> Option<Arrival> {
    let outcome = receive_head(&mut connected, terms);
    if let Outcome::Ready(begin) = outcome {
        return Some((connected, begin));
    }
    match outcome.rest(rest, terms.config) {
        Some(rest) if rest.stage != Stage::Lingering => decide_later((connected, rest), undecided),
        _ => connected.discard(),
    }
    None
}

fn decide_later(one: Undecided, undecided: &mut Vec<Undecided>) {
    if let Err((connected, _)) = push(undecided, one) {
        connected.discard();
    }
}

/// While it lives, a thread looks at connections or has undecided ones.
struct Deciding<'a>(&'a AtomicU32);

impl<'a> Deciding<'a> {
    fn begin(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Deciding<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Waits until something happens on one of the connections.
fn wait_for_any(undecided: &[Undecided], patience: Duration) -> io::Result<()> {
    let mut fds = Vec::new();
    extend(&mut fds, undecided.iter().map(|(connected, _)| PollFd::new(connected.fd, READABLE)))?;
    match poll::poll(&mut fds, Some(patience)) {
        Err(error) if error.kind() != ErrorKind::Interrupted => Err(error),
        _ => Ok(()),
    }
}
