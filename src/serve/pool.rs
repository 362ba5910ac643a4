//! The pooled way of waiting: one epoll instance for the listen socket and all parked connections.
//!
//! See [`super::listener`] for when and why.

use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::connected::{Connected, new_session, recycle};
use super::head::{Outcome, linger, receive_head};
use super::listener::{Arrival, Listener};
use super::parking::{Parked, Place, Rest, Stage, Watched};
use super::terms::Terms;
use super::turns::{Step, TakenOut};
use crate::os::error::{AcceptTrouble, is_unwatchable, is_watched_already, not_open, shut_down};
use crate::os::io::is_open;
use crate::os::poll::{self, Epoll, PollFd, READABLE, Ready, Watch};
use crate::os::{clock, mark, signal, socket, threads};

const LISTEN: u64 = u64::MAX;
const WAKE_UP: u64 = u64::MAX - 1;
/// The listen socket, of which the kernel has not spoken.
const UNASKED: u64 = u64::MAX - 2;

/// The longest single wait; then the listen socket is tried unasked. epoll silently drops a closed
/// one, and a preforked sibling that was woken for a connection may have died before it took it.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How many times the kernel may announce a connection that is not there, because others were faster,
/// before the listen socket is looked at.
const MOST_IN_VAIN: u32 = 16;

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

    /// Whether connections without a request can wait together.
    pub(super) fn can_park(&self) -> bool {
        self.epoll().and_then(|epoll| self.enter_pool(epoll)).is_ok()
    }

    /// Whether the kernel has announced a connection that nobody has looked for yet; from now on
    /// that is the caller's.
    pub(super) fn take_announced(&self) -> bool {
        let mut state = self.state.lock();
        let before = state.ready.len();
        state.ready.retain(|&token| token != LISTEN);
        state.ready.len() < before
    }

    /// Puts a connection where the listener watches it, until something comes, or with `turn` until
    /// those have had theirs that are ready already. The caller gets it back when that is not possible;
    /// and otherwise the one that has to go for it, if there are too many, for [`Listener::give_up`].
    pub(super) fn park(
        self: &Arc<Self>,
        mut connected: Connected,
        rest: Rest,
        turn: bool,
        terms: &Terms,
    ) -> Result<Option<TakenOut>, Connected> {
        let Ok(place) = self.watch(&mut connected, turn) else { return Err(connected) };
        self.parked.store(true, Ordering::Relaxed);
        let Connected { fd, mut session, since, .. } = connected;
        // Most parked connections have nothing to remember; their memory serves others.
        let (kept, spare) = if session.connection().is_fresh() {
            (None, Some(session))
        } else {
            session.shrink();
            (Some(session), None)
        };
        let parked = Parked { session: kept, rest, since };
        let surplus = self.state.lock().park((place, fd, parked), terms.config.max_waiting);
        if let Some(session) = spare {
            recycle(session);
        }
        Ok(surplus)
    }

    /// Closes a connection that was taken out for want of room, unless a whole request has come on it:
    /// that is served. Whatever else has come, it goes: or those who send what is no request could
    /// take turns for ever.
    pub(super) fn give_up(
        self: &Arc<Self>,
        (place, fd, parked): TakenOut,
        terms: &Terms,
    ) -> Option<Arrival> {
        if parked.rest.stage == Stage::Lingering {
            self.discard((place, fd, parked));
            return None;
        }
        let mut connected = self.connected(place, fd, parked)?;
        if let Outcome::Ready(begin) = receive_head(&mut connected, terms) {
            return Some((connected, begin));
        }
        connected.discard();
        None
    }

    /// Gives a connection that is going to be parked its place, and registers it. An event may come
    /// before it is parked: see [`Listener::claim`].
    fn watch(self: &Arc<Self>, connected: &mut Connected, turn: bool) -> io::Result<Place> {
        let epoll = self.epoll()?;
        let (wanted, watch) = match (turn, threads::only_one()) {
            (true, _) => (Watched::Once, Watch::Turn),
            (false, true) => (Watched::Level, Watch::Level),
            (false, false) => (Watched::Once, Watch::OneShot),
        };
        let mut state = self.state.lock();
        let place = match &connected.home {
            Some((_, place)) => *place,
            None => {
                let place = state.new_place()?;
                connected.home = Some((Arc::clone(self), place));
                place
            }
        };
        let token = place.token();
        match (state.parking.watched(place), wanted) {
            (Watched::Level, Watched::Level) => return Ok(place),
            (Watched::Once, Watched::Once) => {
                // Silent so far, and in nobody's hands but ours: others need not wait for this.
                drop(state);
                return epoll.modify(connected.fd, watch, token).map(|()| place);
            }
            (Watched::No, _) => epoll.add(connected.fd, watch, token)?,
            (Watched::Level | Watched::Once, _) => epoll.modify(connected.fd, watch, token)?,
        }
        state.parking.set_watched(place, connected.fd, wanted);
        Ok(place)
    }

    /// Waits for the listen socket and all parked connections.
    pub(super) fn pooled(self: &Arc<Self>, terms: &Terms) -> io::Result<Option<Arrival>> {
        if self.is_programs_own() {
            return self.accepted_or_would_block(terms);
        }
        let Ok(epoll) = self.epoll() else { return self.without_epoll(terms) };
        if let Err(error) = self.enter_pool(epoll) {
            return match AcceptTrouble::of(&error) {
                AcceptTrouble::Shortage => self.without_epoll(terms),
                _ => Err(error),
            };
        }
        let step = self.state.lock().next_step();
        match step {
            Step::Expire => self.expire(terms),
            Step::Follow(token) => self.follow(token, terms),
            Step::Ask(until) => match self.wait(epoll, until, terms)? {
                // What came is still there: the last call looks at everything.
                Some(_) if signal::shutdown_requested() => Ok(None),
                Some(token) => self.follow(token, terms),
                None => Ok(None),
            },
        }
    }

    /// The program's own non-blocking socket: what accept4 says is the answer.
    fn accepted_or_would_block(self: &Arc<Self>, terms: &Terms) -> io::Result<Option<Arrival>> {
        match socket::accept(self.fd) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(error),
            result => self.accepted(result, terms),
        }
    }

    /// Out of descriptors or memory for epoll, or in a sandbox that refuses it: waits for the listen
    /// socket alone, for a moment.
    fn without_epoll(self: &Arc<Self>, terms: &Terms) -> io::Result<Option<Arrival>> {
        // Another thread may take the connection for which this one wakes.
        mark::make_nonblocking(self.fd)?;
        let mut fds = [PollFd::new(self.fd, READABLE)];
        match poll::poll(&mut fds, Some(SHORTAGE_WAIT)) {
            Ok(0) => Ok(None),
            Ok(_) => self.accept(terms),
            Err(error) => self.not_waited(error, terms).map(|()| None),
        }
    }

    /// As [`Listener::not_accepted`], for a wait that the kernel does not restart as it does accept.
    pub(super) fn not_waited(self: &Arc<Self>, error: io::Error, terms: &Terms) -> io::Result<()> {
        if error.kind() == ErrorKind::Interrupted && !terms.ends_by_signal() {
            return Ok(());
        }
        self.not_accepted(error, terms)
    }

    /// Makes the listen socket non-blocking and registers it, once.
    fn enter_pool(&self, epoll: &Epoll) -> io::Result<()> {
        if self.is_pooled() {
            return Ok(());
        }
        let mut state = self.state.lock();
        // Another thread may have come first.
        if self.is_pooled() {
            return Ok(());
        }
        self.look_for_limit();
        mark::make_nonblocking(self.fd)?;
        match epoll.add(self.fd, Watch::Exclusive, LISTEN) {
            // Not a socket at all; accept4 says so.
            Err(error) if is_unwatchable(&error) => {}
            result => result?,
        }
        self.pooled.store(true, Ordering::Release);
        // Whatever is wrong with the descriptor, the first accept4 shows it.
        state.look_next_at(LISTEN);
        Ok(())
    }

    /// Lets the other processes that wait for the listen socket have the next connection, as [`Pace`]
    /// says. `is_new`: whether the connection that was just parked was so for the first time.
    ///
    /// [`Pace`]: super::pace::Pace
    pub(super) fn step_back_if_due(&self, is_new: bool, stage: Stage) {
        let is_due = match (is_new, stage) {
            (true, Stage::Idle) => true,
            // With other threads it delays no other connection.
            (true, _) => threads::only_one(),
            (false, Stage::Idle) => self.pace.is_due(clock::milliseconds()),
            (false, _) => false,
        };
        if !is_due || !self.is_pooled() {
            return;
        }
        let Some(epoll) = self.epoll.get() else { return };
        // Of two threads the second would find nothing to move.
        let _state = self.state.lock();
        if epoll.move_last(self.fd, Watch::Exclusive, LISTEN).is_err() {
            self.unwatched.store(true, Ordering::Relaxed);
        }
    }

    /// Registers the listen socket if the kernel does not know it any more.
    fn watch_listen_socket(&self, epoll: &Epoll) {
        let result = epoll.add(self.fd, Watch::Exclusive, LISTEN);
        let is_watched = !result.is_err_and(|error| !is_watched_already(&error));
        self.unwatched.store(!is_watched, Ordering::Relaxed);
    }

    /// Takes events from the kernel; gives the first, the others wait in the state.
    fn wait(
        self: &Arc<Self>,
        epoll: &Epoll,
        deadline: Option<Instant>,
        terms: &Terms,
    ) -> io::Result<Option<u64>> {
        let unwatched = self.unwatched.load(Ordering::Relaxed);
        let longest = if unwatched { SHORTAGE_WAIT } else { LONGEST_WAIT };
        let end = deadline.into_iter().chain(terms.until).min();
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        let timeout = left.map_or(longest, |left| left.min(longest));
        let mut ready = Ready::new();
        // With other threads there is no telling when this one comes back for a second event.
        let most = if threads::only_one() { Ready::MOST } else { 1 };
        let waited = if terms.fail_on_intr {
            epoll.wait_for_handlers_only(&mut ready, most, Some(timeout))
        } else {
            epoll.wait(&mut ready, most, Some(timeout))
        };
        if let Err(error) = waited {
            if !is_open(self.fd) {
                return Err(not_open());
            }
            return self.not_waited(error, terms).map(|()| None);
        }
        if ready.tokens().any(|token| token == WAKE_UP) && !signal::shutdown_requested() {
            signal::ignore_wake_up();
        }
        let mut tokens = ready.tokens().filter(|&token| token != WAKE_UP);
        let first = tokens.next();
        // A process that is always busy would never come to look unasked.
        let is_hidden = unwatched && first.is_some();
        let mut others = tokens.chain(is_hidden.then_some(UNASKED));
        if let Some(second) = others.next() {
            let mut state = self.state.lock();
            std::iter::once(second).chain(others).for_each(|token| state.queue(token));
        }
        if ready.tokens().next().is_none() {
            if timeout.is_zero() {
                return Ok(None);
            }
            if socket::is_shut_down(self.fd) {
                return Err(shut_down());
            }
            return Ok(Some(UNASKED));
        }
        Ok(first)
    }

    /// Accepts once, without waiting.
    fn accept(self: &Arc<Self>, terms: &Terms) -> io::Result<Option<Arrival>> {
        let result = socket::accept(self.fd);
        if result.is_ok() {
            self.in_vain.store(0, Ordering::Relaxed);
        } else if result.as_ref().is_err_and(may_pass) {
            // The kernel may not speak of the socket again.
            self.state.lock().look_next_at(LISTEN);
        } else if self.in_vain.fetch_add(1, Ordering::Relaxed) >= MOST_IN_VAIN
            && socket::is_shut_down(self.fd)
        {
            return Err(shut_down());
        }
        self.accepted(result, terms)
    }

    /// Looks at what an event stands for.
    fn follow(self: &Arc<Self>, token: u64, terms: &Terms) -> io::Result<Option<Arrival>> {
        if token == LISTEN {
            return self.accept(terms);
        }
        if token == UNASKED {
            if let Err(error) = socket::check_listens(self.fd) {
                // Those that are connected are served on.
                let is_last = self.state.lock().parking.is_empty();
                return if is_last { Err(error) } else { Ok(None) };
            }
            // The number may stand for a new socket of the program's.
            self.look_for_limit();
            mark::make_nonblocking(self.fd)?;
            self.watch_listen_socket(self.epoll()?);
            return self.accept(terms);
        }
        let place = Place::from_token(token);
        let Some((fd, parked)) = self.claim(place) else { return Ok(None) };
        let rest = parked.rest;
        let Some(mut connected) = self.connected(place, fd, parked) else { return Ok(None) };
        let outcome = match rest.stage {
            Stage::Lingering => linger(&mut connected),
            _ => receive_head(&mut connected, terms),
        };
        self.settle(connected, outcome, rest, terms)
    }

    /// Takes a parked connection out. One that is not there may be about to be parked by another
    /// thread, which then sees to the event. Or it was registered while the process had one thread and
    /// is out on a request: then this registration ends here.
    fn claim(&self, place: Place) -> Option<(RawFd, Parked)> {
        let mut state = self.state.lock();
        let parked = state.parking.take(place);
        if parked.is_none() {
            state.parking.note_early(place);
            if let (Some(epoll), Some(fd)) = (self.epoll.get(), state.parking.unwatch_out(place)) {
                epoll.remove(fd);
            }
        }
        parked
    }

    /// Takes any parked connection out, and how it has waited.
    pub(super) fn take_any(self: &Arc<Self>) -> Option<(Connected, Rest)> {
        loop {
            let (place, fd, parked) = self.state.lock().take_least_worth()?;
            let rest = parked.rest;
            if let Some(connected) = self.connected(place, fd, parked) {
                return Some((connected, rest));
            }
        }
    }

    /// A connection that was parked, in the caller's hands. Without memory for what it is going to
    /// say it is closed.
    fn connected(
        self: &Arc<Self>,
        place: Place,
        fd: RawFd,
        mut parked: Parked,
    ) -> Option<Connected> {
        let session = match parked.session.take() {
            Some(session) => Ok(session),
            None => new_session(),
        };
        let Ok(session) = session else {
            self.discard((place, fd, parked));
            return None;
        };
        let mut connected = Connected::new(fd, session, parked.since);
        connected.home = Some((Arc::clone(self), place));
        Some(connected)
    }

    /// Sees to a connection whose time is over, if there is one.
    fn expire(self: &Arc<Self>, terms: &Terms) -> io::Result<Option<Arrival>> {
        let now = Instant::now();
        let expired = self.state.lock().take_expired(now);
        let Some((place, fd, parked)) = expired else { return Ok(None) };
        let rest = parked.rest;
        if rest.stage == Stage::Lingering {
            self.discard((place, fd, parked));
            return Ok(None);
        }
        // It may have spoken in time, while every thread was busy.
        let Some(mut connected) = self.connected(place, fd, parked) else { return Ok(None) };
        let outcome = receive_head(&mut connected, terms);
        let goes_on = outcome.rest(rest, terms.config);
        if goes_on.is_some_and(|rest| rest.deadline.is_some_and(|deadline| deadline <= now)) {
            connected.discard();
            return Ok(None);
        }
        self.settle(connected, outcome, rest, terms)
    }
}

/// Whether the next accept4 may well do.
fn may_pass(error: &io::Error) -> bool {
    AcceptTrouble::of(error) == AcceptTrouble::Passing
}
