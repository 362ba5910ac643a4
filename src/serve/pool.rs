//! The pool: where connections without a request wait, and the listen socket with them.
//!
//! It owns one epoll instance, the table of parked connections, events that no thread has seen to yet,
//! and deadlines. It knows nothing of requests: a thread that waits here gets an [`Event`] and looks at
//! what it names.
//!
//! A connection that is out on a request keeps its slot in the table. With one thread it also stays
//! registered, level-triggered, because no thread waits while the request is active: a kept request then
//! costs epoll_wait, recv, send. With several threads it is registered one-shot, so that it is silent
//! until it is parked again. That registration is renewed first, because it is a system call, and the
//! connection is parked then, under the lock. An event that another thread gets in between is noted in
//! the slot. If a thread gets an event for a connection that is out (it was registered when there was one
//! thread), it removes the registration. A thread that is going to hold the connection leaves it silent:
//! see [`Holding`].

use std::io;
use std::io::ErrorKind::{Interrupted, TimedOut};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::accept_options::{AcceptOptions, pause_for_call};
use super::entry::Entry;
use super::event::{Event, taken};
use super::holding::{Found, Hold, Holding, Sleep};
use super::key::Key;
use super::pace::Pace;
use super::parking::Parked;
use super::sleepers::Count;
use super::slot::Registration;
use super::store::recycle;
use super::turns::{State, Step, TakenOut};
use super::wait::{Again, Owner, Stage};
use super::watcher::{LISTEN, UNASKED, Watcher};
use crate::os::descriptor::{close, file_number};
use crate::os::lock::Lock;
use crate::os::poll::{Epoll, Interest, says_lost};
use crate::os::socket::close_without_lingering;
use crate::os::{clock, fork, mark, shutdown};

/// The number of pools so far in this process: each has its own keys.
static POOLS: AtomicU32 = AtomicU32::new(0);

/// A listen socket and the connections that wait with it.
#[derive(Debug)]
pub(super) struct Pool {
    listen_fd: RawFd,
    /// [`fork::generation`] of its process.
    generation: usize,
    watcher: Watcher,
    /// Whether the listen socket is registered, and so non-blocking. It stays so.
    entered: AtomicBool,
    /// Whether a connection was ever parked.
    parked: AtomicBool,
    /// When to let other processes have the next connection.
    pace: Pace,
    holding: Holding,
    state: Lock<State>,
}

impl Pool {
    /// Returns an empty pool; makes no system call.
    pub(super) fn new(listen_fd: RawFd) -> Self {
        Self {
            listen_fd,
            generation: fork::generation(),
            watcher: Watcher::new(listen_fd),
            entered: AtomicBool::new(false),
            parked: AtomicBool::new(false),
            pace: Pace::new(),
            holding: Holding::new(),
            state: Lock::new(State::new(POOLS.fetch_add(1, Ordering::Relaxed))),
        }
    }

    /// Returns what the kernel watches.
    pub(super) const fn watcher(&self) -> &Watcher {
        &self.watcher
    }

    /// Returns whether the program polls the epoll instance.
    pub(super) fn is_polled(&self) -> bool {
        self.watcher.alarm().is_on()
    }

    /// Makes the instance readable when a thread has to come, if the program polls it.
    pub(super) fn set_alarm(&self) {
        self.watcher.set_alarm(|| self.state.lock().due());
    }

    /// Looks at what the threads share.
    pub(super) fn look<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock())
    }

    /// Returns whether threads sleep here, or were cancelled here.
    pub(super) fn has_sleepers(&self) -> bool {
        self.holding.has_sleepers()
    }

    /// Returns the listen socket's descriptor.
    pub(super) const fn listen_fd(&self) -> RawFd {
        self.listen_fd
    }

    /// Returns whether this is a child that a signal handler forked while a thread waited here.
    pub(super) fn belongs_to_parent(&self) -> bool {
        self.generation != fork::generation()
    }

    /// Returns whether the listen socket is registered, and so non-blocking.
    pub(super) fn is_entered(&self) -> bool {
        self.entered.load(Ordering::Acquire)
    }

    /// Returns whether no connection was ever parked.
    pub(super) fn is_unused(&self) -> bool {
        !self.parked.load(Ordering::Relaxed)
    }

    /// Makes the listen socket non-blocking and registers it, once.
    pub(super) fn enter(&self) -> io::Result<Entry> {
        if self.is_entered() {
            return Ok(Entry::Inside);
        }
        if self.watcher.epoll().is_err() {
            return Ok(Entry::NoEpoll);
        }
        let mut state = self.state.lock();
        // Another thread may have been faster.
        if self.is_entered() {
            return Ok(Entry::Inside);
        }
        mark::make_nonblocking(self.listen_fd)?;
        self.watcher.add_listen_socket()?;
        self.entered.store(true, Ordering::Release);
        // If something is wrong with the descriptor, the first accept4 shows it.
        state.look_next_at(LISTEN);
        Ok(Entry::Inside)
    }

    /// Waits for the listen socket and all connections. Fails with `Interrupted` after a signal.
    pub(super) fn next(&self, options: &AcceptOptions) -> io::Result<Event> {
        let event = self.wait(options);
        if !matches!(event, Ok(Event::Nothing)) || options.is_over() {
            self.holding.replace();
        }
        event
    }

    fn wait(&self, options: &AcceptOptions) -> io::Result<Event> {
        let mut state = self.state.lock();
        if state.is_rested() {
            self.watcher.find_listen_socket()?;
        }
        let until = match state.next_step() {
            Step::MakeRoom => return Ok(taken(state.take_least_worth(), Event::Surplus)),
            Step::Expire => return Ok(taken(state.take_expired(clock::now()), Event::Late)),
            Step::Follow(token) => return Ok(self.event(token, &mut state)),
            Step::Ask(until) => until,
        };
        let now = clock::milliseconds();
        let options = &options.until(until);
        let duty = state.arm_forgotten(&self.watcher, now).unless_over(options);
        let sleep = self.holding.go_to_sleep(duty, now);
        drop(state);
        self.sleep(sleep, now, options)
    }

    /// Sleeps in the pool or in reserve, and takes the first event.
    fn sleep(&self, sleep: (Sleep, Count), now: u32, options: &AcceptOptions) -> io::Result<Event> {
        let longest = sleep.0.longest(now, options);
        if let Sleep::InReserve(_) = sleep.0 {
            return self.holding.wait_in_reserve(longest, options).map(|()| Event::Nothing);
        }
        let slept = self.watcher.wait(longest, options, |token| self.queue(token));
        let leaves_others = self.holding.wake(sleep, slept.as_ref().map_or(None, |token| *token));
        let token = match slept {
            Ok(Some(token)) => token,
            Ok(None) => {
                if shutdown::is_calling() && !options.is_cancelled() {
                    // The thread that is called may be in reserve.
                    self.holding.call_all();
                    pause_for_call(options);
                }
                return Ok(Event::Nothing);
            }
            Err(error) if matches!(error.kind(), Interrupted | TimedOut) => return Err(error),
            // Another thread may have replaced the instance meanwhile.
            Err(e) if self.mend().unwrap_or(true) || says_lost(&e) => return Ok(Event::Nothing),
            Err(error) => return Err(error),
        };
        if shutdown::is_requested() && !self.is_polled() {
            // The event is not lost: the drain looks at everything.
            return Ok(Event::Nothing);
        }
        let mut state = self.state.lock();
        if leaves_others {
            state.arm_all(&self.watcher);
        }
        Ok(self.event(token, &mut state))
    }

    /// Returns the event of a token.
    #[inline]
    pub(super) fn event(&self, token: u64, state: &mut State) -> Event {
        match token {
            LISTEN => Event::Listen,
            UNASKED => Event::Unasked,
            token => self.heard(Key::from_token(token), state),
        }
    }

    /// Takes out the connection for which an event has come. If it is not parked, another thread may be
    /// about to park it: the event is noted for that thread. Or it was registered while the process had
    /// one thread, and is out: then its registration is removed. An event without a connection is late,
    /// or comes from an instance of the program.
    fn heard(&self, key: Key, state: &mut State) -> Event {
        if let Some(taken_out) = self.claim(key, state) {
            return Event::Heard(taken_out);
        }
        let is_known = state.parking.note_early(key);
        if let Some(fd) = state.parking.unwatch_out(key) {
            self.watcher.remove(fd);
        }
        if is_known { Event::Nothing } else { Event::Unasked }
    }

    fn claim(&self, key: Key, state: &mut State) -> Option<TakenOut> {
        let taken_out = state.take(key)?;
        if !self.watcher.is_alone() {
            state.parking.goes_out(key, clock::milliseconds());
        }
        Some(taken_out)
    }

    /// Replaces the epoll instance and the wake-up descriptor if the program has closed one of them or
    /// reused its number, which is left alone then; returns whether it did. Parked connections are read
    /// and registered again, except those whose numbers stand for other files.
    ///
    /// Called when something is odd or has taken long, never for each request. After an error there is no
    /// instance.
    #[cold]
    pub(super) fn mend(&self) -> io::Result<bool> {
        // A child that a signal handler forked leaves its parent's instance alone.
        if self.belongs_to_parent() {
            return Ok(false);
        }
        let mut state = self.state.lock();
        if !self.watcher.is_broken() {
            return Ok(false);
        }
        let mut renewed = self.watcher.renew();
        if self.is_entered() {
            renewed = renewed.and_then(|()| self.watcher.find_listen_socket());
        }
        state.look_at_all(LISTEN);
        if renewed.as_ref().is_err_and(|error| !says_lost(error)) {
            // It could wait forever; and its descriptor may be the missing one.
            let surplus = state.take_least_worth();
            drop(state);
            surplus.into_iter().for_each(|surplus| self.discard(surplus));
        }
        renewed.map(|()| true)
    }

    /// Queues a look at the listen socket, behind all that is ready: [`LISTEN`] or [`UNASKED`].
    pub(super) fn queue(&self, token: u64) {
        self.state.lock().queue(token);
        self.set_alarm();
    }

    /// Registers the listen socket if the kernel does not watch it any more.
    pub(super) fn find_listen_socket(&self) -> io::Result<()> {
        self.watcher.find_listen_socket()
    }

    /// Registers a connection that is going to be parked. It gets a key if it has none. An event may come
    /// before it is parked: see [`Pool::heard`].
    pub(super) fn watch(&self, fd: RawFd, key: Option<Key>, again: Again) -> io::Result<Key> {
        if key.is_none() && self.watcher.is_lost() {
            self.mend()?;
        }
        match self.register(fd, key, again) {
            Err(e) if self.mend().unwrap_or(false) || says_lost(&e) => {
                self.register(fd, key, again)
            }
            result => result,
        }
    }

    fn register(&self, fd: RawFd, key: Option<Key>, again: Again) -> io::Result<Key> {
        let epoll = self.watcher.epoll()?;
        let (wanted, interest) = if self.watcher.is_alone() {
            (Registration::Level, Interest::Level)
        } else {
            (Registration::Once, again.interest())
        };
        let mut state = self.state.lock();
        let is_new = key.is_none();
        let key = key.map_or_else(|| state.new_key(), Ok)?;
        if is_new {
            let known = state.parking.identify(key, fd, file_number(fd));
            known.inspect_err(|_| state.parking.release(key))?;
        }
        let token = key.token();
        let result = match (state.parking.registration(key), wanted) {
            (Registration::Level, Registration::Level) => return Ok(key),
            (Registration::Once | Registration::Early, Registration::Once) => {
                // It is silent so far, and only the caller's: other threads need not wait for the call.
                drop(state);
                return epoll.modify(fd, interest, token).map(|()| key);
            }
            (Registration::No, _) => epoll.add(fd, interest, token),
            _ => epoll.modify(fd, interest, token),
        };
        match result {
            Ok(()) => state.parking.set_registration(key, fd, wanted),
            Err(_) if is_new => state.parking.release(key),
            Err(_) => {}
        }
        result.map(|()| key)
    }

    /// Parks a registered connection.
    pub(super) fn park(&self, taken_out: TakenOut, again: Again, max_waiting: usize) {
        self.parked.store(true, Ordering::Relaxed);
        let (key, fd) = (taken_out.0, taken_out.1);
        let mut state = self.state.lock();
        let is_early = state.park(taken_out, max_waiting);
        if !self.watcher.is_alone() {
            // The kernel reports it, again if another thread has got its event already.
            match state.parking.registration(key) {
                // Another thread has replaced the instance meanwhile.
                Registration::No => state.look_next_at(key.token()),
                _ if is_early => state.rearm(key, fd, again.interest(), &self.watcher),
                _ => {}
            }
            if again == Again::InTurn {
                state.parking.leave_to_kernel(key);
            }
        } else if is_early || again == Again::InTurn {
            state.queue(key.token());
        }
        drop(state);
        self.set_alarm();
    }

    /// Parks a connection whose request is over, if that needs no system call: it is registered
    /// level-triggered, or may stay unarmed because its thread is expected back and other threads see to
    /// it. Calls `parked` in this case only.
    pub(super) fn put_back(
        &self,
        key: Key,
        owner: Owner,
        parked: impl FnOnce() -> Option<(RawFd, Parked)>,
        max_waiting: usize,
    ) {
        let mut state = self.state.lock();
        if self.watcher.is_alone() {
            let is_watched = state.parking.registration(key) == Registration::Level;
            if let Some((fd, parked)) = is_watched.then(parked).flatten() {
                state.park((key, fd, parked), max_waiting);
            }
            return;
        }
        if self.is_polled() {
            return;
        }
        let now = clock::milliseconds();
        if let Some(took) = state.parking.out_for(key, now) {
            self.holding.note_request(took, now);
        }
        let is_expected = owner == Owner::Returns && state.parking.may_stay_unarmed(key);
        if is_expected && self.holding.may_leave_unarmed(now) {
            let Some((fd, parked)) = parked() else { return };
            state.park((key, fd, parked), max_waiting);
            state.parking.leave_unarmed(key, now);
        }
    }

    /// Removes a connection whose descriptor the program has replaced: its number may be another file's.
    pub(super) fn forget_parked(&self, key: Key) {
        let taken = self.state.lock().parking.take(key);
        if let Some((fd, _)) = taken {
            self.forget(fd, key);
        }
    }

    /// Ends the hold of a connection, and takes it out if it is next. Otherwise the kernel watches it again.
    pub(super) fn end_hold(
        &self,
        (key, fd): (Key, RawFd),
        hold: Hold,
        found: Found,
        max_waiting: usize,
    ) -> Event {
        if found == Found::Crowd {
            self.holding.note_crowd();
        }
        let leaves_others = self.holding.end_hold(hold);
        let mut state = self.state.lock();
        let is_next = found == Found::Request && state.parking.is_parked(key, fd);
        let event = if is_next { self.claim(key, &mut state) } else { None };
        if leaves_others {
            state.arm_all(&self.watcher);
        }
        let unarmed =
            if state.parking.is_unarmed(key, fd) { state.take_same(key, fd) } else { None };
        drop(state);
        unarmed.into_iter().for_each(|unarmed| self.arm_taken(unarmed, max_waiting));
        taken(event, Event::Heard)
    }

    /// Arms and parks a connection that was unarmed. Other threads need not wait for the system call.
    fn arm_taken(&self, taken_out: TakenOut, max_waiting: usize) {
        let (key, fd) = (taken_out.0, taken_out.1);
        let armed = self.watch(fd, Some(key), Again::WhenHeard).is_ok();
        if armed || self.watcher.is_lost() {
            self.park(taken_out, Again::WhenHeard, max_waiting);
        } else {
            self.state.lock().parking.release(key);
        }
    }

    /// Returns the descriptor that is readable when the pool has an event; -1 without an instance.
    pub(super) fn descriptor(&self) -> RawFd {
        self.watcher.epoll().map_or(-1, Epoll::descriptor)
    }

    /// Begins to hold an unarmed connection. Arms it instead if there is other work for the thread.
    pub(super) fn begin_hold(&self, key: Key, fd: RawFd) -> Option<Hold> {
        let mut state = self.state.lock();
        // A thread whose client is always quick comes by nowhere else.
        let now = clock::milliseconds();
        state.arm_forgotten(&self.watcher, now);
        if !state.parking.is_unarmed(key, fd)
            && (self.holding.is_crowded() || !state.disarm(key, fd, &self.watcher))
        {
            return None;
        }
        if state.has_work() {
            state.arm(key, &self.watcher);
            return None;
        }
        Some(self.holding.begin_hold(now))
    }

    /// Lets the other processes that wait for the listen socket have the next connection: see [`Pace`].
    /// `is_new`: whether the connection was parked for the first time.
    pub(super) fn step_back_if_due(&self, is_new: bool, stage: Stage) {
        let is_due = match (is_new, stage) {
            (true, Stage::Idle) => true,
            // With several threads it delays no other connection.
            (true, _) => self.watcher.is_alone(),
            (false, Stage::Idle) => self.pace.is_due(clock::milliseconds()),
            (false, _) => false,
        };
        if is_due && self.is_entered() {
            self.watcher.move_listen_socket_last();
        }
    }

    /// Calls the threads in reserve.
    pub(super) fn call_reserve(&self) {
        self.holding.call_all();
    }

    /// Unregisters a connection that leaves, as [`State::forget`] does.
    pub(super) fn forget(&self, fd: RawFd, key: Key) -> bool {
        self.state.lock().forget(fd, key, &self.watcher)
    }

    /// Closes a connection that was just taken out, unless the program has closed it.
    pub(super) fn discard(&self, (key, fd, parked): TakenOut) {
        if self.forget(fd, key) {
            close_without_lingering(fd, parked.epoch);
        }
        if let Some(exchange) = parked.exchange {
            recycle(exchange);
        }
    }

    /// Closes every parked connection: no thread will wait here again.
    pub(super) fn close_all(&self) {
        while let Some(next) = self.look(State::take_least_worth) {
            self.discard(next);
        }
    }

    /// Closes a child's copies of the parent's descriptors. Async-signal-safe.
    pub(super) fn abandon(&self) {
        self.watcher.give_up();
        if let Some(mut state) = self.state.try_lock() {
            state.abandon(close);
        }
    }
}
