//! Shutting down without losing a request.
//!
//! No new connection is accepted any more. But a connected peer may already have sent a request that only
//! this process can answer: on a new connection for certain, on a kept one while there is load. A web
//! server cannot tell whether what it sent was read. So the process waits for all its connections, serves
//! a request that arrives, and closes the connection with the answer. It does the same for a connection
//! that it was woken for and had not accepted yet, because the kernel woke no other process for it.
//!
//! The setting `drain` says for how long. A connection on which nothing arrives in that time is closed;
//! the time counts from the moment when the first thread looks, or from the connection's own last request
//! if that ends later. A head that has begun by then has the same time again to be complete. So a peer
//! cannot keep a thread for more than twice that time, and a web server that closes its idle connections
//! sooner loses no request on one. (A busy connection ends with its last answer: over TCP in one packet.
//! On a unix socket the web server may send another request in between.)

use std::io::{self, ErrorKind};
use std::mem;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::accept_options::AcceptOptions;
use super::connection::Connection;
use super::head::{AcceptedRequest, HeadProgress, Turn, receive_head};
use super::patience::{POLL_INTERVALS, TIME_TO_WAKE};
use super::pool::Pool;
use super::turns::TakenOut;
use super::wait::{Again, Stage, Wait};
use crate::os::descriptor::close;
use crate::os::error::{cancelled, would_block};
use crate::os::lock::Lock;
use crate::os::memory::{extend, push};
use crate::os::poll::{self, PollFd, READABLE};
use crate::os::socket::{self, Accepted};
use crate::os::{clock, mark, shutdown};

/// The end of a drain.
#[derive(Clone, Copy, Debug)]
struct End {
    /// [`shutdown::restarts`] at that time: a library that is initialised again has another drain.
    restarts: usize,
    /// `None` only beyond the range of the clock.
    at: Option<Instant>,
}

/// A connection on which no request has come yet, and how long it may wait for one.
type Unready = (Connection, Wait);

/// The drain of one listener, for all of its threads.
#[derive(Debug)]
pub(super) struct Drain {
    /// `None` before the first thread asks.
    end: Lock<Option<End>>,
    /// Threads that have connections for which they wait.
    drainers: AtomicU32,
    /// Looks at all connections of a polled pool.
    looks: Lock<Option<Looks>>,
}

/// How far the threads that drain a polled pool have come.
#[derive(Clone, Copy, Debug)]
struct Looks {
    /// [`shutdown::restarts`] at that time.
    restarts: usize,
    /// When the first look began.
    since: Instant,
    /// Whether all connections were looked at.
    is_whole: bool,
}

/// A look at the connections of a polled pool that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// At all connections, and at the one for which this thread was woken: the first look.
    First,
    /// At all connections: not all were looked at so far, or the drain is over.
    All,
    /// At those that are ready.
    Ready,
}

impl Drain {
    /// A drain that has not begun.
    pub(super) const fn new() -> Self {
        Self { end: Lock::new(None), drainers: AtomicU32::new(0), looks: Lock::new(None) }
    }

    /// Returns one more request, if there is any. Otherwise every parked connection is closed. Fails with
    /// EAGAIN if the caller's own limit ends the wait earlier. `kept`: the connection of the thread's last
    /// request. `new`: the one that was accepted last.
    #[cold]
    pub(super) fn next(
        &self,
        pool: &Arc<Pool>,
        kept: Option<Connection>,
        new: Option<Connection>,
        options: &AcceptOptions,
    ) -> Turn {
        let mut search = Search::new(self, pool, options);
        let limit = options.config.drain;
        if let Some(connection) = new {
            search.keep_waiting((connection, self.prolonged(Stage::Silent, limit)));
        }
        let mut kept = kept.map(|kept| (kept, self.prolonged(Stage::Idle, limit)));
        loop {
            if let Some(accepted) = search.ask_parked(kept.take()) {
                return Ok(Some(accepted));
            }
            match search.wait() {
                Step::AskParked => {}
                Step::AskUnready => {
                    if let Some(accepted) = search.ask_unready() {
                        return Ok(Some(accepted));
                    }
                }
                Step::Leave(error) => {
                    park_all(pool, search.unready.into_iter(), options);
                    return Err(error);
                }
                Step::Stop => break,
            }
        }
        search.unready.into_iter().for_each(|(connection, _)| connection.discard());
        Ok(None)
    }

    /// Returns which connections of a polled pool are to be looked at. After the end of the drain those are
    /// all: one may have been parked since by a thread that knew nothing of it, with a limit of its own.
    pub(super) fn due(&self, options: &AcceptOptions) -> Due {
        let is_over = self.end(options.config.drain).is_none_or(|end| end <= clock::now());
        let (mut looks, restarts) = (self.looks.lock(), shutdown::restarts());
        match looks.filter(|looks| looks.restarts == restarts) {
            Some(looks) if looks.is_whole && !is_over => Due::Ready,
            Some(_) => Due::All,
            None => {
                *looks = Some(Looks { restarts, since: clock::now(), is_whole: false });
                Due::First
            }
        }
    }

    /// Notes that all connections of a polled pool were looked at.
    pub(super) fn note_look(&self) {
        self.looks.lock().iter_mut().for_each(|looks| looks.is_whole = true);
    }

    /// Returns whether threads that slept in a polled pool may not have heard yet that shutdown is requested.
    pub(super) fn is_young(&self) -> bool {
        self.looks.lock().is_some_and(|looks| clock::now() < looks.since + TIME_TO_WAKE)
    }

    /// Looks for a request on all connections of a polled pool. Parks the others for as long as the drain
    /// goes on.
    pub(super) fn look_at_all(
        &self,
        pool: &Arc<Pool>,
        kept: Option<Connection>,
        new: Option<Connection>,
        options: &AcceptOptions,
    ) -> Option<AcceptedRequest> {
        let limit = options.config.drain;
        let mut search = Search::new(self, pool, options);
        if let Some(connection) = new {
            search.keep_waiting((connection, self.prolonged(Stage::Silent, limit)));
        }
        let kept = kept.map(|kept| (kept, self.prolonged(Stage::Idle, limit)));
        let accepted = search.ask_parked(kept).or_else(|| search.ask_unready());
        park_all(pool, search.unready.into_iter(), options);
        accepted
    }

    /// Looks for a request on one connection of a polled pool, and parks it otherwise.
    pub(super) fn look_at(
        &self,
        pool: &Arc<Pool>,
        taken_out: TakenOut,
        options: &AcceptOptions,
    ) -> Option<AcceptedRequest> {
        let wait = taken_out.2.wait;
        let connection = Connection::taken_out(pool, taken_out)?;
        let mut search = Search::new(self, pool, options);
        let accepted = search.ask((connection, wait));
        let unready = search.unready.into_iter();
        match accepted {
            Some(accepted) => Some(closing_request(pool, accepted, unready, options)),
            None => {
                park_all(pool, unready, options);
                None
            }
        }
    }

    /// Returns when the drain ends, as far as is known now. The first thread that asks sets the end for
    /// connections that are silent from then on.
    pub(super) fn end(&self, drain: Duration) -> Option<Instant> {
        let restarts = shutdown::restarts();
        let mut end = self.end.lock();
        if end.is_none_or(|end| end.restarts != restarts) {
            *end = Some(End { restarts, at: clock::now().checked_add(drain) });
        }
        end.and_then(|end| end.at)
    }

    /// Returns a wait of the drain's length for a connection, and prolongs the drain for all threads.
    fn prolonged(&self, stage: Stage, drain: Duration) -> Wait {
        let wait = Wait::new(stage, Some(drain));
        if let Some(end) = &mut *self.end.lock() {
            end.at = end.at.max(wait.deadline);
        }
        wait
    }
}

/// One call of [`Drain::next`].
struct Search<'a> {
    drain: &'a Drain,
    pool: &'a Arc<Pool>,
    options: &'a AcceptOptions<'a>,
    /// The end of the drain when the call began.
    end: Option<Instant>,
    /// Connections for which this thread waits.
    unready: Vec<Unready>,
    drainer: Option<Drainer<'a>>,
    /// Milliseconds of waiting that are left, by count: the clock may stand still.
    unspent: u64,
    /// Milliseconds until the next look at what other threads have parked.
    interval: u64,
}

/// What a thread does next in a [`Search`].
enum Step {
    AskParked,
    AskUnready,
    /// The caller's own limit is over, or the call was cancelled.
    Leave(io::Error),
    Stop,
}

impl<'a> Search<'a> {
    fn new(drain: &'a Drain, pool: &'a Arc<Pool>, options: &'a AcceptOptions<'a>) -> Self {
        let limit = options.config.drain;
        Self {
            drain,
            pool,
            options,
            end: drain.end(limit),
            unready: Vec::new(),
            drainer: None,
            unspent: 2 * limit.as_millis() as u64,
            interval: POLL_INTERVALS[0],
        }
    }

    /// Looks for a request on `first` and on all parked connections.
    fn ask_parked(&mut self, first: Option<Unready>) -> Option<AcceptedRequest> {
        // Counted before the first look: other threads leave when they see no thread with a connection.
        self.drainer.get_or_insert_with(|| Drainer::begin(&self.drain.drainers));
        let mut next = first;
        while let Some((connection, wait)) = next.take().or_else(|| take_any(self.pool)) {
            if wait.stage == Stage::Lingering {
                connection.discard();
                continue;
            }
            let deadline = within(self.options.config.drain, wait.deadline, self.end);
            if let Some(accepted) = self.ask((connection, Wait { deadline, ..wait })) {
                let unready = mem::take(&mut self.unready).into_iter();
                return Some(closing_request(self.pool, accepted, unready, self.options));
            }
        }
        None
    }

    /// Looks for a request on the connections for which this thread waits. Which of them are readable, if
    /// any, shows when they are read.
    fn ask_unready(&mut self) -> Option<AcceptedRequest> {
        let mut asked = mem::take(&mut self.unready).into_iter();
        while let Some(connection) = asked.next() {
            if let Some(accepted) = self.ask(connection) {
                let unready = mem::take(&mut self.unready).into_iter().chain(asked);
                return Some(closing_request(self.pool, accepted, unready, self.options));
            }
        }
        None
    }

    /// Waits for these connections, or for other threads to park theirs.
    fn wait(&mut self) -> Step {
        let left = self.left();
        // A thread that gets a request parks its other connections, and only then leaves.
        let drainers = self.drain.drainers.load(Ordering::SeqCst);
        let others = drainers > u32::from(self.drainer.is_some());
        if !self.pool.look(|state| state.parking.is_empty()) {
            return Step::AskParked;
        }
        let is_done = self.unready.is_empty() && (left.is_zero() || !others);
        if is_done || (!left.is_zero() && self.unspent == 0) {
            return Step::Stop;
        }
        if self.options.is_cancelled() {
            return Step::Leave(cancelled());
        }
        if self.options.has_callers_limit() && self.options.is_over() {
            return Step::Leave(would_block());
        }
        let longest = if others { Duration::from_millis(self.interval) } else { left };
        let longest = self.options.longest_while_draining(longest);
        self.interval = (2 * self.interval).min(POLL_INTERVALS[1]);
        let wait = left.min(longest).min(Duration::from_millis(self.unspent));
        let wait = if self.options.has_callers_limit() { self.options.wait(wait) } else { wait };
        match wait_for_any(&self.unready, wait) {
            Ok(true) => {}
            Ok(false) => {
                self.unspent = self.unspent.saturating_sub(wait.as_millis() as u64 + 1);
            }
            Err(_) => return Step::Stop,
        }
        Step::AskUnready
    }

    /// Returns how long this thread may wait. Without a connection of its own it does not count as a drainer.
    fn left(&mut self) -> Duration {
        let deadline = if self.unready.is_empty() {
            self.drainer = None;
            self.drain.end(self.options.config.drain)
        } else {
            self.unready.iter().filter_map(|(_, wait)| wait.deadline).min()
        };
        deadline.map_or(Duration::ZERO, |end| end.saturating_duration_since(clock::now()))
    }

    /// Looks for a request on a connection. Keeps the connection waiting if one may still come.
    fn ask(&mut self, (mut connection, before): Unready) -> Option<AcceptedRequest> {
        let outcome = receive_head(&mut connection, self.options);
        if let HeadProgress::Ready(begin) = outcome {
            return Some((connection, begin));
        }
        let config = self.options.config;
        let wait = match outcome.next_wait(before, config) {
            // A head has begun.
            Some(wait) if outcome.lacks_head() && wait.stage != before.stage => {
                let deadline = self.drain.prolonged(wait.stage, config.drain).deadline;
                Some(Wait { deadline: wait.deadline.into_iter().chain(deadline).min(), ..wait })
            }
            // Nothing, or records that are not a request.
            Some(wait) if wait.stage == before.stage => Some(before),
            // What had begun belonged to an earlier request, which is over.
            Some(Wait { stage: Stage::Idle, .. }) if before.stage == Stage::Next => Some(before),
            // A request that was answered without the program is the last one, too.
            _ => None,
        };
        match wait {
            Some(wait) if wait.deadline.is_some_and(|deadline| deadline > clock::now()) => {
                self.keep_waiting((connection, wait));
            }
            _ => connection.discard(),
        }
        None
    }

    /// Waits for a connection, too. Closes it if out of memory.
    fn keep_waiting(&mut self, connection: Unready) {
        if let Err((connection, _)) = push(&mut self.unready, connection) {
            connection.discard();
        }
    }
}

/// Returns a request after which its connection is closed. Parks the unready for the next call.
fn closing_request(
    pool: &Arc<Pool>,
    accepted: AcceptedRequest,
    unready: impl Iterator<Item = Unready>,
    options: &AcceptOptions,
) -> AcceptedRequest {
    park_all(pool, unready, options);
    let (connection, mut begin) = accepted;
    begin.keep = false;
    (connection, begin)
}

/// Parks the unready for the next call.
fn park_all(pool: &Arc<Pool>, unready: impl Iterator<Item = Unready>, options: &AcceptOptions) {
    for (connection, wait) in unready {
        if let Err(connection) = connection.park(pool, wait, Again::WhenHeard, options.config) {
            connection.discard();
        }
    }
}

/// Accepts the connection for which this thread was woken, if there is one.
pub(super) fn accept_announced(listen_fd: RawFd, options: &AcceptOptions) -> Option<Connection> {
    // The number may have become that of a new socket of the program.
    mark::make_nonblocking(listen_fd).ok()?;
    let Accepted { fd, peer, epoch } = socket::accept(listen_fd).ok()?;
    if options.config.peers.admits(&peer) {
        return Connection::open(fd, epoch).ok();
    }
    close(fd);
    None
}

/// Takes a parked connection out of the pool. Returns it and how it has waited.
fn take_any(pool: &Arc<Pool>) -> Option<Unready> {
    loop {
        let taken_out = pool.look(|state| state.take_least_worth())?;
        let wait = taken_out.2.wait;
        if let Some(connection) = Connection::taken_out(pool, taken_out) {
            return Some((connection, wait));
        }
    }
}

/// Returns a connection's deadline in the drain: the one that it has, unless a wait of the drain's length
/// that begins now would end earlier; otherwise the end of the drain.
fn within(drain: Duration, deadline: Option<Instant>, end: Option<Instant>) -> Option<Instant> {
    let latest = clock::now().checked_add(drain);
    deadline.filter(|deadline| latest.is_none_or(|latest| *deadline <= latest)).or(end)
}

/// Counts a thread that looks at connections or has unready ones, until it is dropped.
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

/// Waits until one of the connections is readable. Returns false after a timeout.
fn wait_for_any(unready: &[Unready], patience: Duration) -> io::Result<bool> {
    let mut fds = Vec::new();
    extend(&mut fds, unready.iter().map(|(connection, _)| PollFd::new(connection.fd, READABLE)))?;
    match poll::poll(&mut fds, Some(patience)) {
        Err(error) if error.kind() != ErrorKind::Interrupted => Err(error),
        result => Ok(!matches!(result, Ok(0))),
    }
}
