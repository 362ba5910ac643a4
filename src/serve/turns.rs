//! What a waiting thread does next, and which connection goes when there are too many.

use std::os::fd::RawFd;
use std::time::Instant;

use super::duty::Duty;
use super::key::Key;
use super::parking::{Parked, Parking};
use super::patience::{KEYS_BETWEEN_LOOKS, LONG_UNARMED, MOST_STEPS};
use super::slot::Registration;
use super::watcher::{UNASKED, Watcher};
use crate::os::clock;
use crate::os::descriptor::{descriptor_limit, file_number};
use crate::os::memory::{NoMemory, push, reserve};
use crate::os::poll::{Interest, Ready};

/// A connection that was taken out of the table; it keeps its slot.
pub(super) type TakenOut = (Key, RawFd, Parked);

/// The state that the threads of a pool share.
#[derive(Debug)]
pub(super) struct State {
    pub(super) parking: Parking,
    /// Events that no thread has seen to yet, the next one last.
    pub(super) ready: Vec<u64>,
    /// Steps since the last call of epoll_wait.
    steps: u32,
    /// Connections that have to go, because too many wait. They have slots, but are not parked.
    surplus: Vec<TakenOut>,
    /// Keys made so far.
    keys_made: u32,
    /// The number of connections for which there are descriptors, as of the last look.
    room: usize,
    /// Until when the listen socket is not watched, because a polled pool is out of descriptors.
    pub(super) resting_until: Option<Instant>,
}

/// The next step of a waiting thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Close a connection, because too many wait.
    MakeRoom,
    /// See to a connection whose deadline has passed.
    Expire,
    /// See to an event.
    Follow(u64),
    /// Call epoll_wait, with this deadline; without waiting if it has passed.
    Ask(Option<Instant>),
}

impl State {
    /// Returns the state of an empty pool with this number.
    pub(super) fn new(number: u32) -> Self {
        let parking = Parking::new(number);
        Self {
            parking,
            ready: Vec::new(),
            steps: 0,
            surplus: Vec::new(),
            keys_made: 0,
            room: 0,
            resting_until: None,
        }
    }

    /// Decides what comes next. epoll_wait is called every [`MOST_STEPS`] steps, whatever there is to do:
    /// the listen socket must not starve.
    #[inline(always)]
    pub(super) fn next_step(&mut self) -> Step {
        if !self.surplus.is_empty() {
            return Step::MakeRoom;
        }
        let deadline = self.parking.earliest();
        let is_late = deadline.is_some_and(|deadline| deadline <= clock::now());
        if !is_late && self.ready.is_empty() {
            self.steps = 0;
            return Step::Ask(deadline.into_iter().chain(self.resting_until).min());
        }
        if self.steps >= MOST_STEPS {
            self.steps = 0;
            return Step::Ask(Some(clock::now()));
        }
        self.steps += 1;
        // In turns, so that neither kind delays the other.
        let event = if is_late && self.steps % 2 == 1 { None } else { self.ready.pop() };
        event.map_or(Step::Expire, Step::Follow)
    }

    /// Returns how many connections may be parked. A quarter of the descriptors is left to the program.
    pub(super) fn most(&self, max_waiting: usize) -> usize {
        max_waiting.min(self.room).max(1)
    }

    /// Parks a connection. If `max_waiting` are parked already, the one of least worth has to go. Returns
    /// whether it must be looked at: an event came before parking.
    pub(super) fn park(&mut self, (key, fd, parked): TakenOut, max_waiting: usize) -> bool {
        let most = self.most(max_waiting);
        if self.parking.len() >= most {
            self.release_stale();
        }
        if self.parking.len() >= most && reserve(&mut self.surplus, 1).is_ok() {
            let least = self.parking.least_worth().and_then(|key| self.take(key));
            least.into_iter().for_each(|least| self.surplus.push(least));
        }
        self.parking.park(key, fd, parked)
    }

    /// Removes the connection that has been idle longest, if the program has closed it.
    fn release_stale(&mut self) {
        let longest = self.parking.longest_idle();
        if let Some(stale) = longest.filter(|key| !self.parking.is_own(*key, file_number)) {
            self.parking.release(stale);
        }
    }

    /// Returns whether the rest of the listen socket is over, once.
    pub(super) fn is_rested(&mut self) -> bool {
        let is_over = |until: &mut Instant| *until <= clock::now();
        self.resting_until.take_if(is_over).is_some()
    }

    /// Returns when a thread has to come although the kernel reports nothing; `None` if no time is known.
    pub(super) fn due(&self) -> Option<Instant> {
        if self.ready.is_empty() && self.surplus.is_empty() {
            return self.parking.earliest().into_iter().chain(self.resting_until).min();
        }
        Some(clock::now())
    }

    /// Returns whether there is work for a thread before it may wait for its own connection.
    pub(super) fn has_work(&self) -> bool {
        let is_late = || self.parking.earliest().is_some_and(|deadline| deadline <= clock::now());
        !self.ready.is_empty() || !self.surplus.is_empty() || is_late()
    }

    /// Returns a key for a connection that has none.
    pub(super) fn new_key(&mut self) -> Result<Key, NoMemory> {
        if self.keys_made % KEYS_BETWEEN_LOOKS == 0 {
            let descriptors = descriptor_limit();
            self.room = descriptors - descriptors / 4;
        }
        self.keys_made = self.keys_made.wrapping_add(1);
        let key = self.parking.reserve()?;
        // Memory for events is reserved now: noting one must not fail.
        let most = self.parking.slots_made() + Ready::MOST;
        let more = most.saturating_sub(self.ready.len());
        let enough = reserve(&mut self.ready, more);
        if enough.is_err() {
            self.parking.release(key);
        }
        enough.map(|()| key)
    }

    /// Takes out the connection that is closed first when there are too many.
    pub(super) fn take_least_worth(&mut self) -> Option<TakenOut> {
        while let Some(taken_out) = self.surplus.pop() {
            if self.parking.is_own(taken_out.0, file_number) {
                return Some(taken_out);
            }
            self.parking.release(taken_out.0);
        }
        self.take_own(Parking::least_worth)
    }

    /// Takes out a parked connection.
    pub(super) fn take(&mut self, key: Key) -> Option<TakenOut> {
        self.parking.take(key).map(|(fd, parked)| (key, fd, parked))
    }

    /// Takes out the connection that is parked with this key and descriptor, unless the program has
    /// closed it.
    pub(super) fn take_same(&mut self, key: Key, fd: RawFd) -> Option<TakenOut> {
        if !self.parking.is_parked(key, fd) {
            return None;
        }
        if !self.parking.is_own(key, file_number) {
            self.parking.release(key);
            return None;
        }
        self.take(key)
    }

    /// Unregisters a connection that leaves the pool, and frees its slot. Returns false if its number
    /// stands for another file: then the program has closed it.
    pub(super) fn forget(&mut self, fd: RawFd, key: Key, watcher: &Watcher) -> bool {
        let is_latest = self.parking.is_latest(key, fd);
        let registration = self.parking.registration(key);
        // Without the instance, the file tells.
        let mut is_own = || watcher.remove(fd) || self.parking.is_own(key, file_number);
        let stays = is_latest && (registration == Registration::No || is_own());
        self.parking.release(key);
        stays
    }

    /// Closes and abandons all connections, in a child: no memory may be freed there.
    pub(super) fn abandon(&mut self, close: impl Fn(RawFd)) {
        for (key, fd, _) in &self.surplus {
            if self.parking.is_own(*key, file_number) {
                close(*fd);
            }
        }
        std::mem::forget(std::mem::take(&mut self.surplus));
        self.parking.abandon(file_number, close);
    }

    /// Takes out a connection whose deadline has passed.
    pub(super) fn take_expired(&mut self, now: Instant) -> Option<TakenOut> {
        self.take_own(|parking| parking.expired(now))
    }

    /// Takes out a parked connection that `next` chooses. No event shows that it is still open: if its
    /// number stands for another file, it is removed, and the next one taken.
    fn take_own(&mut self, next: impl Fn(&Parking) -> Option<Key>) -> Option<TakenOut> {
        loop {
            let key = next(&self.parking)?;
            if self.parking.is_own(key, file_number) {
                return self.take(key);
            }
            self.parking.release(key);
        }
    }

    /// Queues every parked connection, to be read and registered again, and `event` before them: the
    /// kernel watches nothing any more.
    pub(super) fn look_at_all(&mut self, event: u64) {
        self.ready.clear();
        for number in 0..self.parking.slots_made() {
            let Some(key) = self.parking.unwatch(number) else { continue };
            if self.parking.is_own(key, file_number) {
                self.look_next_at(key.token());
            } else {
                self.parking.release(key);
            }
        }
        self.look_next_at(event);
    }

    /// Arms connections that have been unarmed for too long. Returns [`Duty::Unarmed`] if others are
    /// unarmed.
    pub(super) fn arm_forgotten(&mut self, watcher: &Watcher, now: u32) -> Duty {
        while let Some((key, age)) = self.parking.first_unarmed(now) {
            if age < LONG_UNARMED {
                return Duty::Unarmed;
            }
            self.arm(key, watcher);
        }
        Duty::None
    }

    /// Arms all unarmed connections: no thread will come by soon.
    pub(super) fn arm_all(&mut self, watcher: &Watcher) {
        while let Some((key, _)) = self.parking.first_unarmed(0) {
            self.arm(key, watcher);
        }
    }

    /// Arms an unarmed connection. If its number stands for another file, the program has closed it, and
    /// it is removed.
    pub(super) fn arm(&mut self, key: Key, watcher: &Watcher) {
        let Some(fd) = self.parking.take_unarmed(key) else { return };
        if self.parking.is_own(key, file_number) {
            self.rearm(key, fd, Interest::OneShot, watcher);
        } else {
            self.parking.release(key);
        }
    }

    /// Makes the kernel report a parked connection, again if it has done so already.
    pub(super) fn rearm(&mut self, key: Key, fd: RawFd, interest: Interest, watcher: &Watcher) {
        let armed = watcher.epoll().and_then(|e| e.modify(fd, interest, key.token()));
        if armed.is_err() && watcher.is_lost() {
            // All are registered again when the instance is replaced.
            self.look_next_at(UNASKED);
        } else if armed.is_err() {
            self.parking.release(key);
        }
    }

    /// Makes an armed connection unarmed, so that a thread can hold it.
    pub(super) fn disarm(&mut self, key: Key, fd: RawFd, watcher: &Watcher) -> bool {
        if !self.parking.is_parked(key, fd) || !self.parking.may_stay_unarmed(key) {
            return false;
        }
        let silent = watcher.epoll().and_then(|e| e.modify(fd, Interest::Silent, key.token()));
        if silent.is_ok() {
            self.parking.leave_unarmed(key, clock::milliseconds());
        }
        silent.is_ok()
    }

    /// Adds an event behind all others, unless it is there already.
    pub(super) fn queue(&mut self, event: u64) {
        if self.ready.contains(&event) {
            return;
        }
        let mut moved = event;
        for key in &mut self.ready {
            std::mem::swap(key, &mut moved);
        }
        self.look_next_at(moved);
    }

    /// Removes an event. Returns whether it was there.
    pub(super) fn forget_event(&mut self, event: u64) -> bool {
        let before = self.ready.len();
        self.ready.retain(|&other| other != event);
        self.ready.len() < before
    }

    /// Adds an event in front of all others.
    pub(super) fn look_next_at(&mut self, event: u64) {
        // Memory is reserved: see `new_key`. Events of the listen socket come again.
        let _ = push(&mut self.ready, event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::fork::ForkEpoch;
    use crate::serve::slot::Registration;
    use crate::serve::wait::{Stage, Wait};
    use std::time::Duration;

    const LATER: Duration = Duration::from_secs(60);

    fn waiting(stage: Stage, patience: Duration) -> Parked {
        Parked { exchange: None, wait: Wait::new(stage, Some(patience)), epoch: ForkEpoch::now() }
    }

    fn watched_key(state: &mut State) -> Key {
        let key = state.new_key().unwrap();
        state.parking.set_registration(key, 0, Registration::Once);
        key
    }

    #[test]
    #[cfg_attr(miri, ignore = "no getrlimit in Miri")]
    fn no_more_connections_wait_than_the_limit() {
        let mut state = State::new(0);
        for fd in 0..100 {
            let key = watched_key(&mut state);
            state.park((key, fd, waiting(Stage::Silent, LATER)), 20);
            assert!(state.parking.len() <= 20);
            assert_eq!(
                (state.next_step() == Step::MakeRoom, state.has_work()),
                (fd >= 20, fd >= 20)
            );
            if fd >= 20 {
                // The one that has waited longest.
                assert_eq!(state.take_least_worth().map(|(_, fd, _)| fd), Some(fd - 20));
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "no getrlimit in Miri")]
    fn a_quarter_of_the_descriptors_is_the_programs() {
        let mut state = State::new(0);
        let most = descriptor_limit();
        state.new_key().unwrap();
        assert_eq!(state.most(usize::MAX), most - most / 4);
        assert_eq!(state.most(1), 1);
        // The limit is read rarely.
        state.room = 7;
        for _ in 1..KEYS_BETWEEN_LOOKS {
            state.new_key().unwrap();
        }
        assert_eq!(state.room, 7);
        state.new_key().unwrap();
        assert_eq!(state.room, most - most / 4);
    }

    /// With endless events, or thousands of passed deadlines, each is seen to, and the kernel is asked.
    #[test]
    #[cfg_attr(miri, ignore = "no getrlimit in Miri")]
    fn the_kernel_is_asked_whatever_there_is_to_do() {
        for is_late in [false, true] {
            let mut state = State::new(0);
            if is_late {
                for fd in 0..1000 {
                    let key = watched_key(&mut state);
                    let late = waiting(Stage::Silent, Duration::ZERO);
                    state.park((key, fd, late), usize::MAX);
                }
            }
            state.new_key().unwrap();
            let (mut since_asked, mut asked, mut followed, mut expired) = (0, 0, 0, 0);
            for _ in 0..1500 {
                // Every event comes again.
                state.queue(7);
                match state.next_step() {
                    Step::Ask(until) => {
                        assert!(until.is_some_and(|until| until <= Instant::now()));
                        (since_asked, asked) = (0, asked + 1);
                        continue;
                    }
                    Step::Follow(event) => {
                        assert_eq!(event, 7);
                        followed += 1;
                    }
                    Step::MakeRoom => panic!("there is no limit"),
                    Step::Expire => {
                        assert!(state.take_expired(Instant::now()).is_some());
                        expired += 1;
                    }
                }
                since_asked += 1;
                assert!(since_asked <= MOST_STEPS);
            }
            assert!(asked >= 1500 / (MOST_STEPS + 1) && followed >= 700, "{asked}, {followed}");
            assert_eq!(expired >= 700, is_late, "{expired}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "no getrlimit in Miri")]
    fn with_nothing_to_do_the_wait_is_until_the_next_deadline() {
        let mut state = State::new(0);
        assert_eq!(state.next_step(), Step::Ask(None));
        let key = watched_key(&mut state);
        let parked = waiting(Stage::Silent, LATER);
        let deadline = parked.wait.deadline;
        state.park((key, 5, parked), 20);
        for _ in 0..2 * MOST_STEPS {
            assert_eq!(state.next_step(), Step::Ask(deadline));
        }
    }
}
