//! The pooled way of waiting: one epoll instance for the listen socket and all parked connections.
//!
//! See [`super::listener`] for when and why.

use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::connected::{Connected, new_session, recycle};
use super::head::{linger, receive_head};
use super::listener::{Arrival, Listener, Rest, State, Terms};
use super::parking::{Parked, Place, Stage, Watched};
use crate::os::error::{AcceptTrouble, is_unwatchable, not_open};
use crate::os::io::{is_open, set_nonblocking};
use crate::os::poll::{self, Epoll, PollFd, READABLE, Ready, Watch};
use crate::os::{mark, signal, socket, threads};

const LISTEN: u64 = u64::MAX;
const WAKE_UP: u64 = u64::MAX - 1;

/// The longest single wait; then the listen socket is tried unasked. epoll silently drops a closed
/// one, and a preforked sibling that was woken for a connection may have died before it took it.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How long to do without epoll before it is tried again.
const SHORTAGE_WAIT: Duration = Duration::from_millis(100);

impl Listener {
    pub(super) fn epoll(&self) -> io::Result<&Epoll> {
        self.epoll.get_or_try_init(|| {
            let epoll = Epoll::new()?;
            epoll.add(signal::wake_up_descriptor()?, Watch::Level, WAKE_UP)?;
            Ok(epoll)
        })
    }

    /// Whether the kernel has announced a connection that nobody has looked for yet; from now on
    /// that is the caller's.
    pub(super) fn take_announced(&self) -> bool {
        let mut state = self.state.lock();
        let before = state.ready.len();
        state.ready.retain(|&token| token != LISTEN);
        state.ready.len() < before
    }

    /// What becomes readable when something happens in the pool; -1 when there is none.
    pub(super) fn pool_descriptor(&self) -> RawFd {
        self.epoll.get().map_or(-1, Epoll::descriptor)
    }

    /// Lets everybody else who is ready come before a connection that has sent requests ahead.
    pub(super) fn queue_behind_others(
        self: &Arc<Self>,
        connected: Connected,
        rest: Rest,
        terms: &Terms,
    ) -> io::Result<()> {
        let Some(place) = self.park(connected, rest) else { return Ok(()) };
        let epoll = self.epoll()?;
        let waited = self.wait(epoll, Some(Instant::now()), terms);
        let mut state = self.state.lock();
        state.ready.extend(waited.as_ref().ok().copied().flatten());
        // Behind everybody, whether the kernel speaks of it or not: its bytes are here already.
        state.ready.retain(|&token| token != place.token());
        state.ready.insert(0, place.token());
        waited.map(drop)
    }

    /// Puts a connection where the listener watches it. `None` when that was not possible: it is
    /// closed then.
    pub(super) fn park(self: &Arc<Self>, mut connected: Connected, rest: Rest) -> Option<Place> {
        let mut state = self.state.lock();
        let place = match connected.home.take() {
            Some((_, place)) => place,
            None => state.parking.reserve(),
        };
        if self.watch(&mut state, connected.fd, place).is_err() {
            drop(state);
            connected.home = Some((Arc::clone(self), place));
            self.close(connected);
            return None;
        }
        let Connected { fd, mut session, forks, .. } = connected;
        // Most parked connections have nothing to remember; their memory serves others.
        let (kept, spare) = if session.connection().is_fresh() {
            (None, Some(session))
        } else {
            session.shrink();
            (Some(session), None)
        };
        let Rest { stage, deadline } = rest;
        state.parking.park(place, fd, Parked { session: kept, stage, deadline, forks });
        drop(state);
        if let Some(session) = spare {
            recycle(session);
        }
        Some(place)
    }

    /// Registers a descriptor that is going to be parked.
    fn watch(&self, state: &mut State, fd: RawFd, place: Place) -> io::Result<()> {
        let epoll = self.epoll()?;
        let (wanted, watch) = if threads::only_one() {
            (Watched::Level, Watch::Level)
        } else {
            (Watched::Once, Watch::OneShot)
        };
        match state.parking.watched(place) {
            Watched::No => epoll.add(fd, watch, place.token())?,
            Watched::Level if wanted == Watched::Level => {}
            Watched::Level | Watched::Once => epoll.modify(fd, watch, place.token())?,
        }
        state.parking.set_watched(place, wanted);
        Ok(())
    }

    /// Waits for the listen socket and all parked connections.
    pub(super) fn pooled(self: &Arc<Self>, terms: &Terms) -> io::Result<Option<Arrival>> {
        if self.is_programs_own() {
            return self.accepted_or_would_block(terms);
        }
        let Ok(epoll) = self.epoll() else { return self.without_epoll(terms) };
        if let Err(error) = self.enter_pool(epoll) {
            return match AcceptTrouble::of(&error) {
                AcceptTrouble::Lasting => Err(error),
                _ => self.without_epoll(terms),
            };
        }
        let (token, deadline) = {
            let mut state = self.state.lock();
            (state.ready.pop(), state.parking.earliest())
        };
        match token {
            Some(token) => self.follow(token, terms),
            None => match self.wait(epoll, deadline, terms)? {
                // Looked at by `next` first of all: shutting down, and what to do then.
                Some(token) if signal::shutdown_requested() => {
                    self.state.lock().ready.push(token);
                    Ok(None)
                }
                Some(token) => self.follow(token, terms),
                None => Ok(None),
            },
        }
    }

    /// The program's own non-blocking socket: what accept4 says is the answer.
    fn accepted_or_would_block(self: &Arc<Self>, terms: &Terms) -> io::Result<Option<Arrival>> {
        match socket::accept(self.fd) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(error),
            result => self.accepted(result, terms, false),
        }
    }

    /// Out of descriptors or memory for epoll: waits for the listen socket alone, for a moment.
    fn without_epoll(self: &Arc<Self>, terms: &Terms) -> io::Result<Option<Arrival>> {
        let mut fds = [PollFd::new(self.fd, READABLE)];
        match poll::poll(&mut fds, Some(SHORTAGE_WAIT)) {
            Ok(0) => Ok(None),
            Ok(_) => self.accepted(socket::accept(self.fd), terms, false),
            Err(error) => self.not_accepted(error, terms).map(|()| None),
        }
    }

    /// Makes the listen socket non-blocking and registers it, once.
    pub(super) fn enter_pool(&self, epoll: &Epoll) -> io::Result<()> {
        if self.is_pooled() {
            return Ok(());
        }
        let mut state = self.state.lock();
        // Another thread may have come first.
        if self.is_pooled() {
            return Ok(());
        }
        if let Some(mark) = mark::of(self.fd) {
            mark.set();
        }
        set_nonblocking(self.fd, true)?;
        match epoll.add(self.fd, Watch::Exclusive, LISTEN) {
            // Not a socket at all; accept4 says so.
            Err(error) if is_unwatchable(&error) => {}
            result => result?,
        }
        self.pooled.store(true, Ordering::Release);
        // Whatever is wrong with the descriptor, the first accept4 shows it.
        state.ready.push(LISTEN);
        Ok(())
    }

    /// Takes events from the kernel; gives the first, the others wait in the state.
    fn wait(
        self: &Arc<Self>,
        epoll: &Epoll,
        deadline: Option<Instant>,
        terms: &Terms,
    ) -> io::Result<Option<u64>> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = left.map_or(LONGEST_WAIT, |left| left.min(LONGEST_WAIT));
        let mut ready = Ready::new();
        // With other threads there is no telling when this one comes back for a second event.
        let most = if threads::only_one() { Ready::MOST } else { 1 };
        if let Err(error) = epoll.wait(&mut ready, most, Some(timeout)) {
            if !is_open(self.fd) {
                return Err(not_open());
            }
            return self.not_accepted(error, terms).map(|()| None);
        }
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            self.close_expired();
        }
        let mut tokens = ready.tokens().filter(|&token| token != WAKE_UP);
        let first = tokens.next();
        if let Some(second) = tokens.next() {
            let mut state = self.state.lock();
            state.ready.push(second);
            state.ready.extend(tokens);
            // Taken from the end: first come, first served.
            state.ready.reverse();
        }
        if ready.tokens().next().is_none() && left != Some(Duration::ZERO) {
            // A sibling that shuts down may have cleared the flag together with its own.
            set_nonblocking(self.fd, true)?;
            return Ok(Some(LISTEN));
        }
        Ok(first)
    }

    /// Looks at what an event stands for.
    fn follow(self: &Arc<Self>, token: u64, terms: &Terms) -> io::Result<Option<Arrival>> {
        if token == LISTEN {
            return self.accepted(socket::accept(self.fd), terms, false);
        }
        let place = Place::from_token(token);
        let Some((fd, parked)) = self.claim(place) else { return Ok(None) };
        let rest = Rest { stage: parked.stage, deadline: parked.deadline };
        let mut connected = self.connected(place, fd, parked);
        let outcome = match rest.stage {
            Stage::Lingering => linger(&mut connected),
            Stage::Silent | Stage::Partial | Stage::Idle => receive_head(&mut connected, terms),
        };
        self.settle(connected, outcome, rest, terms)
    }

    /// Takes a parked connection out. One that is out already reports only because it was
    /// registered while the process had one thread: that ends here.
    fn claim(&self, place: Place) -> Option<(RawFd, Parked)> {
        let mut state = self.state.lock();
        let parked = state.parking.take(place);
        if parked.is_none() {
            if let (Some(epoll), Some(fd)) = (self.epoll.get(), state.parking.unwatch_out(place)) {
                epoll.remove(fd);
            }
        }
        parked
    }

    /// Takes any parked connection out, and why it was there.
    pub(super) fn take_any(self: &Arc<Self>) -> Option<(Connected, Stage)> {
        let mut state = self.state.lock();
        let place = state.parking.any()?;
        let (fd, parked) = state.parking.take(place)?;
        drop(state);
        let stage = parked.stage;
        Some((self.connected(place, fd, parked), stage))
    }

    /// A parked connection, in the caller's hands.
    pub(super) fn connected(
        self: &Arc<Self>,
        place: Place,
        fd: RawFd,
        parked: Parked,
    ) -> Connected {
        let mut connected = Connected::new(fd, parked.session.unwrap_or_else(new_session));
        connected.forks = parked.forks;
        connected.home = Some((Arc::clone(self), place));
        connected
    }

    pub(super) fn close_expired(self: &Arc<Self>) {
        let now = Instant::now();
        loop {
            let mut state = self.state.lock();
            if state.parking.earliest().is_none_or(|earliest| earliest > now) {
                return;
            }
            let Some(place) = state.parking.expired(now) else { return };
            let parked = state.parking.take(place);
            drop(state);
            if let Some((fd, parked)) = parked {
                self.close(self.connected(place, fd, parked));
            }
        }
    }
}
