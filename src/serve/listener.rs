//! Where threads wait for the next request.
//!
//! Two ways of waiting:
//!
//! * **Plain**: the process has one thread and no connection is parked. accept4 blocks, the socket's
//!   flags are left alone, a request costs accept4, recv, send, close.
//! * **Pooled**: from the second thread, the first kept connection, or the first connection that has
//!   nothing to read. One epoll instance watches the listen socket, every parked connection and the
//!   wake-up descriptor of [`crate::os::signal`].
//!
//! A thread that was told of a new connection may find that another thread or a preforked process
//! has taken it; blocking in accept4 then would leave its parked connections unserved. So a pooled
//! listener makes its socket non-blocking. The flag belongs to the open file, which other processes
//! share: every accept4 here copes with EAGAIN. A socket that the program itself made non-blocking
//! must give -EAGAIN at once instead; [`crate::os::mark`] tells the two apart for sockets made by
//! FCGX_OpenSocket. An inherited non-blocking socket is waited on: a sibling may have set the flag.
//!
//! Of preforked processes, those that are idle are to have the new connections: a process steps back
//! behind the others as `pace` says, and one with a single thread does not take a connection
//! away from them before its head is there, as `grace` says.
//!
//! A connection whose request is in the program's hands keeps its place in the table. With one
//! thread it also stays registered, level-triggered, because nobody waits while the request is
//! active: a kept request then costs epoll_wait, recv, send. With several threads it is registered
//! one-shot, so that it is silent until it is given back. That registration is renewed first, because
//! it is a system call, and the connection parked then, under the lock; an event that another thread
//! gets in between is noted in the place. Should a thread be told of a connection that is out (it was
//! registered when there was one thread), it removes the registration.

use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use once_cell::sync::OnceCell;

use super::connected::{Connected, close_at_once, recycle};
use super::grace::{self, Budget, End};
use super::head::{Outcome, read_head, receive_head, wait_alone};
use super::last_call;
use super::pace::Pace;
use super::parking::{Place, Rest, Stage, Watched};
use super::pool::LONGEST_WAIT;
use super::session::Begin;
use super::terms::Terms;
use super::turns::{State, TakenOut};
use crate::os::error::{AcceptTrouble, interrupted, would_block};
use crate::os::io::{close, is_nonblocking};
use crate::os::lock::Lock;
use crate::os::poll::{self, Epoll, PollFd, READABLE};
use crate::os::socket::{self, Accepted, Peer};
use crate::os::{fork, mark, signal, threads};

/// Requests taken in a row from what one connection has sent ahead; then others come first.
const MOST_IN_A_ROW: u32 = 16;

/// How long to leave the listen socket alone when it cannot be accepted from.
const PAUSE: Duration = Duration::from_millis(10);

/// Errors in a row, each of which may pass, after which one is returned if no connection is there; with
/// one there, each further error is followed by a pause.
const MOST_AT_ONCE: u32 = 16;

/// Errors in a row after which one is returned in any case: a second of pauses.
const MOST_ERRORS: u32 = MOST_AT_ONCE + 100;

/// How soon after an error another one is in a row with it: a connection that was waited for in
/// between, and lost, says nothing about the next.
const SOON: Duration = Duration::from_millis(100);

/// A connection whose request head is complete.
pub type Arrival = (Connected, Begin);

/// One listen socket and the connections that came through it.
#[derive(Debug)]
pub struct Listener {
    pub(super) fd: RawFd,
    /// [`fork::generation`] of its process.
    generation: usize,
    pub(super) epoll: OnceCell<Epoll>,
    /// Whether the listen socket is registered, and so non-blocking. For good.
    pub(super) pooled: AtomicBool,
    /// Whether a connection was ever parked.
    pub(super) parked: AtomicBool,
    /// Calls of accept4 that found nothing since one that did.
    pub(super) in_vain: AtomicU32,
    /// Whether a connection was given up for a shortage, and none accepted since.
    has_made_room: AtomicBool,
    /// The program's limit for a wait on the listen socket, in milliseconds; 0 for none.
    limit: AtomicU32,
    /// Errors in a row that might have passed.
    errors: AtomicU32,
    /// What connections without a request may still cost a process with one thread.
    grace: Lock<Budget>,
    /// When to let other processes have the next connection.
    pub(super) pace: Pace,
    /// Whether registering the listen socket anew has failed: the kernel does not speak of it.
    pub(super) unwatched: AtomicBool,
    /// Until when connections are waited for when shutting down.
    pub(super) end: Lock<Option<last_call::End>>,
    /// Threads that wait for connections of their own then.
    pub(super) deciding: AtomicU32,
    pub(super) state: Lock<State>,
}

impl Listener {
    /// A listener on which nobody waits yet.
    pub(super) fn new(fd: RawFd) -> Self {
        let listener = Self {
            fd,
            generation: fork::generation(),
            epoll: OnceCell::new(),
            pooled: AtomicBool::new(false),
            parked: AtomicBool::new(false),
            in_vain: AtomicU32::new(0),
            has_made_room: AtomicBool::new(false),
            limit: AtomicU32::new(0),
            errors: AtomicU32::new(0),
            grace: Lock::new(Budget::new()),
            pace: Pace::new(),
            unwatched: AtomicBool::new(false),
            end: Lock::new(None),
            deciding: AtomicU32::new(0),
            state: Lock::new(State::default()),
        };
        listener.look_for_limit();
        listener
    }

    /// Takes note of the program's limit for a wait on the listen socket. The kernel keeps to it only
    /// where accept4 blocks.
    pub(super) fn look_for_limit(&self) {
        let limit = socket::time_limit(self.fd).map_or(0, |limit| limit.as_micros().div_ceil(1000));
        self.limit.store(limit.try_into().unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// When a wait that begins now is over by that limit.
    fn end_of_wait(&self) -> Option<Instant> {
        match self.limit.load(Ordering::Relaxed) {
            0 => None,
            limit => Instant::now().checked_add(Duration::from_millis(limit.into())),
        }
    }

    /// Waits for the next request. `given`: the connection that the caller's last request came on.
    ///
    /// Errors are those of accept4; EINTR also stands for the wish to shut down, and for a listener
    /// that [`Listener::is_parents`].
    pub fn next(
        self: &Arc<Self>,
        terms: Terms,
        mut given: Option<Connected>,
    ) -> io::Result<Arrival> {
        if let Some(given) = &mut given {
            given.join(self);
        }
        let terms = terms.until(self.end_of_wait());
        let mut has_waited = false;
        loop {
            if self.is_parents() {
                return Err(interrupted());
            }
            if has_waited && terms.is_over() {
                return Err(would_block());
            }
            if signal::shutdown_requested() {
                return self.last_call(given, has_waited, &terms).ok_or_else(interrupted);
            }
            let result = match given.take() {
                Some(given) => self.look(given, &terms),
                None if self.may_block() => self.plain(&terms),
                None => self.pooled(&terms),
            };
            has_waited = true;
            match result {
                Ok(Some(arrival)) => return Ok(arrival),
                Ok(None) => {}
                Err(error) => {
                    use AcceptTrouble::{Empty, Interrupted};
                    if !matches!(AcceptTrouble::of(&error), Empty | Interrupted) {
                        // Nobody is going to wait here any more.
                        self.close_parked();
                    }
                    return Err(error);
                }
            }
        }
    }

    /// Whether a signal handler has made a child while a thread waited here, and this is it.
    pub fn is_parents(&self) -> bool {
        self.generation != fork::generation()
    }

    fn may_block(&self) -> bool {
        threads::only_one() && !self.is_pooled() && !self.parked.load(Ordering::Relaxed)
    }

    /// Whether the listen socket is registered, and so non-blocking.
    pub(super) fn is_pooled(&self) -> bool {
        self.pooled.load(Ordering::Acquire)
    }

    /// Blocks in accept4.
    fn plain(self: &Arc<Self>, terms: &Terms) -> io::Result<Option<Arrival>> {
        let accepting = signal::Accepting::on(self.fd);
        if signal::shutdown_requested() {
            return Ok(None);
        }
        let result = socket::accept(self.fd);
        drop(accepting);
        match result {
            // Whatever it says: the socket may have been set aside.
            Err(_) if signal::shutdown_requested() => Ok(None),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if !is_nonblocking(self.fd)? && socket::time_limit(self.fd).is_some() {
                    return Err(error);
                }
                self.pooled(terms)
            }
            result => self.accepted(result, terms),
        }
    }

    /// Goes on with what accept4 gave.
    pub(super) fn accepted(
        self: &Arc<Self>,
        result: io::Result<Accepted>,
        terms: &Terms,
    ) -> io::Result<Option<Arrival>> {
        let Accepted { fd, peer, since } = match result {
            Ok(accepted) => accepted,
            Err(error) if AcceptTrouble::of(&error) == AcceptTrouble::Shortage => {
                return Ok(self.make_room(terms));
            }
            Err(error) => return self.not_accepted(error, terms).map(|()| None),
        };
        self.errors.store(0, Ordering::Relaxed);
        self.has_made_room.store(false, Ordering::Relaxed);
        if !terms.config.peers.admits(&peer) {
            close(fd);
            return Ok(None);
        }
        let Ok(mut connected) = Connected::open(fd, since) else { return Ok(None) };
        let outcome = receive_head(&mut connected, terms);
        let mut end = End { outcome, signalled: false };
        if outcome.lacks_head() && threads::only_one() {
            end = grace::wait(&mut connected, outcome, &self.grace, terms);
            if self.is_parents() {
                connected.close_copy();
                return Ok(None);
            }
        }
        if let Outcome::Ready(begin) = end.outcome {
            return Ok(Some((connected, begin)));
        }
        let patience = match peer {
            Peer::Unix => Some(terms.config.keeper_timeout),
            _ => terms.config.first_byte_timeout,
        };
        let rest = Rest::new(Stage::Silent, patience);
        let arrival = self.settle(connected, end.outcome, rest, terms)?;
        if arrival.is_none() && end.signalled {
            self.not_waited(interrupted(), terms)?;
        }
        Ok(arrival)
    }

    /// Errors that the next accept4 need not meet again are waited out.
    pub(super) fn not_accepted(
        self: &Arc<Self>,
        error: io::Error,
        terms: &Terms,
    ) -> io::Result<()> {
        match AcceptTrouble::of(&error) {
            AcceptTrouble::Interrupted if terms.fail_on_intr && !signal::shutdown_requested() => {
                Err(error)
            }
            AcceptTrouble::Interrupted | AcceptTrouble::Empty => Ok(()),
            AcceptTrouble::Passing => self.wait_out(error),
            AcceptTrouble::Shortage => {
                pause();
                Ok(())
            }
            AcceptTrouble::Lasting => Err(error),
        }
    }

    /// Out of descriptors or memory: makes room for whoever waits to be accepted by giving the parked
    /// connection of least worth up, or waits a moment. One is given up for one that is accepted, or
    /// in each moment: several threads may meet the same shortage, and it may be one of the machine.
    fn make_room(self: &Arc<Self>, terms: &Terms) -> Option<Arrival> {
        // accept4 speaks of the shortage before it looks whether there is anybody.
        if self.has_connection() && !self.has_made_room.swap(true, Ordering::Relaxed) {
            let surplus = self.state.lock().take_least_worth();
            if let Some(surplus) = surplus {
                return self.give_up(surplus, terms);
            }
        }
        pause();
        self.has_made_room.store(false, Ordering::Relaxed);
        None
    }

    /// An error that may pass. When it does not, because a sandbox refuses the call, it is returned.
    #[cold]
    fn wait_out(&self, error: io::Error) -> io::Result<()> {
        let now = Instant::now();
        let last = self.state.lock().last_error.replace(now);
        if last.is_none_or(|last| now.duration_since(last) > SOON) {
            self.errors.store(0, Ordering::Relaxed);
        }
        let errors = self.errors.fetch_add(1, Ordering::Relaxed);
        if errors < MOST_AT_ONCE {
            return Ok(());
        }
        if errors >= MOST_ERRORS || !self.has_connection() {
            return Err(error);
        }
        pause();
        Ok(())
    }

    /// Whether a connection waits to be accepted.
    fn has_connection(&self) -> bool {
        poll::one(self.fd, READABLE, Some(Duration::ZERO)).is_ok_and(|events| events != 0)
    }

    /// A connection whose last request is over: looks at what was received with it, and parks it
    /// if that is not a request.
    fn look(self: &Arc<Self>, mut given: Connected, terms: &Terms) -> io::Result<Option<Arrival>> {
        given.in_a_row += 1;
        let rest = Rest::IDLE;
        let others_wait = || !self.is_programs_own() && !self.never_accepts() && self.can_park();
        if given.in_a_row > MOST_IN_A_ROW && others_wait() {
            // Everybody else who is ready comes first.
            return match self.park(given, rest, true, terms) {
                Ok(surplus) => Ok(surplus.and_then(|surplus| self.give_up(surplus, terms))),
                Err(given) => {
                    given.discard();
                    Ok(None)
                }
            };
        }
        // A connection that was never parked may well have its next request here by now; others
        // are asked together.
        let outcome = if given.home.is_none() {
            receive_head(&mut given, terms)
        } else {
            read_head(&mut given, terms)
        };
        self.settle(given, outcome, rest, terms)
    }

    /// Gives the request to the caller or the connection its place. `rest`: how it has waited so
    /// far.
    pub(super) fn settle(
        self: &Arc<Self>,
        connected: Connected,
        outcome: Outcome,
        rest: Rest,
        terms: &Terms,
    ) -> io::Result<Option<Arrival>> {
        if let Outcome::Ready(begin) = outcome {
            return Ok(Some((connected, begin)));
        }
        let Some(rest) = outcome.rest(rest, terms.config) else {
            connected.discard();
            return Ok(None);
        };
        if self.is_programs_own() || self.never_accepts() {
            return wait_alone(connected, rest, None, terms);
        }
        if !self.can_park() {
            // Others have to be served, too, and its descriptor may be the one that is missing.
            return wait_alone(connected, rest, Some(LONGEST_WAIT), terms);
        }
        let is_new = connected.home.is_none();
        match self.park(connected, rest, false, terms) {
            Ok(surplus) => {
                self.step_back_if_due(is_new, rest.stage);
                Ok(surplus.and_then(|surplus| self.give_up(surplus, terms)))
            }
            Err(connected) => wait_alone(connected, rest, Some(LONGEST_WAIT), terms),
        }
    }

    /// Whether the program itself made the listen socket non-blocking, for a wait of its own.
    pub(super) fn is_programs_own(&self) -> bool {
        !self.is_pooled() && mark::is_programs_wish(self.fd)
    }

    /// Whether there is no listen socket: a program that makes its connections itself has named none, or
    /// one that serves those it has left has closed it.
    fn never_accepts(&self) -> bool {
        !self.is_pooled() && socket::check_listens(self.fd).is_err()
    }

    /// Closes a connection that was just taken out of its place.
    pub(super) fn discard(&self, (place, fd, parked): TakenOut) {
        self.forget(fd, place);
        close_at_once(fd, parked.since);
        if let Some(session) = parked.session {
            recycle(session);
        }
    }

    /// Closes every parked connection: nobody is going to wait here any more.
    pub(super) fn close_parked(&self) {
        loop {
            let next = self.state.lock().take_least_worth();
            let Some(next) = next else { return };
            self.discard(next);
        }
    }

    /// Stops watching a connection that leaves.
    pub(super) fn forget(&self, fd: RawFd, place: Place) {
        let mut state = self.state.lock();
        if state.parking.watched(place) != Watched::No {
            if let Some(epoll) = self.epoll.get() {
                epoll.remove(fd);
            }
        }
        state.parking.release(place);
    }

    /// Gives up the place of a connection whose descriptor is not known to be open: its number may
    /// be another connection's by now.
    pub(super) fn forget_place(&self, fd: RawFd, place: Place) {
        let mut state = self.state.lock();
        if state.parking.watched(place) != Watched::No
            && !state.parking.is_watched_elsewhere(fd, place)
        {
            if let Some(epoll) = self.epoll.get() {
                epoll.remove(fd);
            }
        }
        state.parking.release(place);
    }

    /// In a child: closes its copies of the parent's descriptors. Async-signal-safe.
    pub(super) fn abandon(&self) {
        if let Some(epoll) = self.epoll.get() {
            epoll.give_up();
        }
        if let Some(mut state) = self.state.try_lock() {
            state.parking.abandon(close);
        }
    }
}

/// Waits a moment. A signal ends it early, which the caller looks at.
fn pause() {
    let wake_up = signal::wake_up_descriptor().unwrap_or(-1);
    let _ = poll::poll(&mut [PollFd::new(wake_up, READABLE)], Some(PAUSE));
}
