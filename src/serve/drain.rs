//! Shutting down without losing a request.
//!
//! No new connection is taken any more. But whoever is connected may be sending a request already,
//! which no other process can answer: on a new connection for certain, on a kept one while there is
//! load, and a web server has no way to tell whether what it sent was read. So all of them are waited
//! for, and a request that comes is served, and its connection closed with the answer. So is a
//! connection that this process was woken for and had not accepted yet, because the kernel woke no
//! other for it.
//!
//! How long is a setting, `drain`: a connection on which nothing comes for so long is given up, counted
//! from the moment when the first thread looks, or from the connection's own last request if that ends
//! later. A head that has begun by then has as much time again to be complete. So nothing that a peer
//! sends holds a thread for more than twice that time, and a web server that closes its idle
//! connections sooner than this library does loses no request on one. (A busy one ends with its last
//! answer: over TCP in one packet. On a unix socket the web server may send another request in between.)

use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::accept_options::AcceptOptions;
use super::connection::Connection;
use super::head::{AcceptedRequest, HeadProgress, receive_head};
use super::patience::POLL_INTERVALS;
use super::pool::Pool;
use super::wait::{Again, Stage, Wait};
use crate::os::descriptor::close;
use crate::os::lock::Lock;
use crate::os::memory::{extend, push};
use crate::os::poll::{self, PollFd, READABLE};
use crate::os::socket::{self, Accepted};
use crate::os::{clock, mark, signal};

/// When a drain is over.
#[derive(Clone, Copy, Debug)]
struct End {
    /// [`signal::restarts`] of that time: a library that begins anew has another drain.
    restarts: usize,
    /// `None` only where clocks end.
    at: Option<Instant>,
}

/// A connection on which no request has come yet, and how long it may wait for one.
type Unready = (Connection, Wait);

/// The drain of one listener, for all of its threads.
#[derive(Debug)]
pub(super) struct Drain {
    /// Until when connections are waited for; `None` before the first thread asks.
    end: Lock<Option<End>>,
    /// Threads that wait for connections of their own.
    drainers: AtomicU32,
}

impl Drain {
    /// One that has not begun.
    pub(super) const fn new() -> Self {
        Self { end: Lock::new(None), drainers: AtomicU32::new(0) }
    }

    /// Returns one more request, if there is any; then every parked connection is closed. `given`: the
    /// thread's own connection. `new`: one that was accepted last.
    #[cold]
    pub(super) fn next(
        &self,
        pool: &Arc<Pool>,
        given: Option<Connection>,
        new: Option<Connection>,
        options: &AcceptOptions,
    ) -> Option<AcceptedRequest> {
        let drain = options.config.drain;
        let end = self.end(drain);
        // Milliseconds that may still be waited by number, should the clock stand still.
        let mut unspent = 2 * drain.as_millis() as u64;
        let mut unready = Vec::new();
        let mut drainer = None;
        if let Some(connection) = new {
            keep_waiting((connection, self.prolonged(Stage::Silent, drain)), &mut unready);
        }
        let mut next = given.map(|given| (given, self.prolonged(Stage::Idle, drain)));
        let mut interval = POLL_INTERVALS[0];
        loop {
            // From before the first look on, or others see no thread with a connection, and leave.
            drainer.get_or_insert_with(|| Drainer::begin(&self.drainers));
            while let Some((connection, wait)) = next.take().or_else(|| take_any(pool)) {
                if wait.stage == Stage::Lingering {
                    connection.discard();
                    continue;
                }
                let wait = Wait { deadline: within(drain, wait.deadline, end), ..wait };
                if let Some(accepted) = self.ask((connection, wait), options, &mut unready) {
                    return Some(closing_request(pool, accepted, unready.into_iter(), options));
                }
            }
            let patience = if unready.is_empty() {
                drainer = None;
                self.end(drain)
            } else {
                unready.iter().filter_map(|(_, wait)| wait.deadline).min()
            };
            let left =
                patience.map_or(Duration::ZERO, |end| end.saturating_duration_since(clock::now()));
            // Another thread gives back what it has when it gets a request, and only then leaves.
            let others = self.drainers.load(Ordering::SeqCst) > u32::from(drainer.is_some());
            if !pool.is_empty() {
                continue;
            }
            if unready.is_empty() && (left.is_zero() || !others) {
                return None;
            }
            if !left.is_zero() && unspent == 0 {
                break;
            }
            let longest = if others { Duration::from_millis(interval) } else { left };
            interval = (2 * interval).min(POLL_INTERVALS[1]);
            let wait = left.min(longest).min(Duration::from_millis(unspent));
            match wait_for_any(&unready, wait) {
                Ok(true) => {}
                Ok(false) => unspent = unspent.saturating_sub(wait.as_millis() as u64 + 1),
                Err(_) => break,
            }
            // What came true, if anything, shows when they are asked.
            let mut asked = std::mem::take(&mut unready).into_iter();
            while let Some(connection) = asked.next() {
                if let Some(accepted) = self.ask(connection, options, &mut unready) {
                    return Some(closing_request(
                        pool,
                        accepted,
                        unready.into_iter().chain(asked),
                        options,
                    ));
                }
            }
        }
        unready.into_iter().for_each(|(connection, _)| connection.discard());
        None
    }

    /// Returns until when connections are waited for. The first thread that asks decides it for those
    /// that are silent from then on.
    fn end(&self, drain: Duration) -> Option<Instant> {
        let restarts = signal::restarts();
        let mut end = self.end.lock();
        if end.is_none_or(|end| end.restarts != restarts) {
            *end = Some(End { restarts, at: clock::now().checked_add(drain) });
        }
        end.and_then(|end| end.at)
    }

    /// Lets a connection wait for so long from now on, and other threads for it.
    fn prolonged(&self, stage: Stage, drain: Duration) -> Wait {
        let wait = Wait::new(stage, Some(drain));
        if let Some(end) = &mut *self.end.lock() {
            end.at = end.at.max(wait.deadline);
        }
        wait
    }

    /// Looks for a request on a connection. One that may yet have one goes to the unready.
    fn ask(
        &self,
        (mut connection, before): Unready,
        options: &AcceptOptions,
        unready: &mut Vec<Unready>,
    ) -> Option<AcceptedRequest> {
        let outcome = receive_head(&mut connection, options);
        if let HeadProgress::Ready(begin) = outcome {
            return Some((connection, begin));
        }
        let wait = match outcome.next_wait(before, options.config) {
            // A head has begun.
            Some(wait) if outcome.lacks_head() && wait.stage != before.stage => {
                let deadline = self.prolonged(wait.stage, options.config.drain).deadline;
                Some(Wait { deadline: wait.deadline.into_iter().chain(deadline).min(), ..wait })
            }
            // Whatever it says that is no request.
            Some(wait) if wait.stage == before.stage => Some(before),
            // What had begun was part of an earlier request that is over.
            Some(Wait { stage: Stage::Idle, .. }) if before.stage == Stage::Next => Some(before),
            // A request that was answered without the program is its last one, too.
            _ => None,
        };
        match wait {
            Some(wait) if wait.deadline.is_some_and(|deadline| deadline > clock::now()) => {
                keep_waiting((connection, wait), unready);
            }
            _ => connection.discard(),
        }
        None
    }
}

/// A request after which its connection is closed. The unready wait for the next call.
fn closing_request(
    pool: &Arc<Pool>,
    accepted: AcceptedRequest,
    unready: impl Iterator<Item = Unready>,
    options: &AcceptOptions,
) -> AcceptedRequest {
    for (connection, wait) in unready {
        if let Err(connection) = connection.park(pool, wait, Again::WhenHeard, options.config) {
            connection.discard();
        }
    }
    let (connection, mut begin) = accepted;
    begin.keep = false;
    (connection, begin)
}

/// Accepts the connection that this thread was woken for, if there is one.
pub(super) fn accept_announced(listen_fd: RawFd, options: &AcceptOptions) -> Option<Connection> {
    // The number may stand for a new socket of the program's.
    mark::make_nonblocking(listen_fd).ok()?;
    let Accepted { fd, peer, epoch } = socket::accept(listen_fd).ok()?;
    if options.config.peers.admits(&peer) {
        return Connection::open(fd, epoch).ok();
    }
    close(fd);
    None
}

/// Takes any parked connection out, and how it has waited.
fn take_any(pool: &Arc<Pool>) -> Option<Unready> {
    loop {
        let taken_out = pool.take_least_worth()?;
        let wait = taken_out.2.wait;
        if let Some(connection) = Connection::taken_out(pool, taken_out) {
            return Some((connection, wait));
        }
    }
}

/// Returns the end of a connection's time: its own if that is a matter of the drain already, or
/// comes before one that begins now would end; otherwise that of all.
fn within(drain: Duration, own: Option<Instant>, of_all: Option<Instant>) -> Option<Instant> {
    let latest = clock::now().checked_add(drain);
    own.filter(|own| latest.is_none_or(|latest| *own <= latest)).or(of_all)
}

fn keep_waiting(one: Unready, unready: &mut Vec<Unready>) {
    if let Err((connection, _)) = push(unready, one) {
        connection.discard();
    }
}

/// While it lives, a thread looks at connections or has unready ones.
struct Drainer<'a>(&'a AtomicU32);

impl<'a> Drainer<'a> {
    fn begin(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Drainer<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Waits until something happens on one of the connections; false when nothing has.
fn wait_for_any(unready: &[Unready], patience: Duration) -> io::Result<bool> {
    let mut fds = Vec::new();
    extend(&mut fds, unready.iter().map(|(connection, _)| PollFd::new(connection.fd, READABLE)))?;
    match poll::poll(&mut fds, Some(patience)) {
        Err(error) if error.kind() != ErrorKind::Interrupted => Err(error),
        result => Ok(!matches!(result, Ok(0))),
    }
}
