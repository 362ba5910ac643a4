//! What a thread that waits does next, and which connection goes when there are too many.

use std::os::fd::RawFd;
use std::time::Instant;

use super::key::Key;
use super::parking::{Parked, Parking};
use super::patience::{LONG_UNARMED, MOST_STEPS, PLACES_BETWEEN_LOOKS};
use super::slot::Registration;
use super::watcher::{UNASKED, Watcher};
use crate::os::clock;
use crate::os::descriptor::{descriptor_limit, file_number};
use crate::os::memory::{NoMemory, push, reserve};
use crate::os::poll::{Interest, Ready};

/// A connection that was taken out of its place.
pub(super) type TakenOut = (Key, RawFd, Parked);

/// What the threads of a pool share.
#[derive(Debug)]
pub(super) struct State {
    pub(super) parking: Parking,
    /// Events not looked at yet, the first one last.
    pub(super) ready: Vec<u64>,
    /// Steps since the kernel was asked.
    steps: u32,
    /// Connections that have to go, because too many wait. They have their places, but are not parked.
    surplus: Vec<TakenOut>,
    /// New places, and the room for waiting connections that the limit of descriptors left lately.
    new_places: u32,
    room: usize,
}

/// What a thread does next that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Closes a connection, because too many wait.
    MakeRoom,
    /// Sees to a connection whose time is over.
    Expire,
    /// Looks at what an event stands for.
    Follow(u64),
    /// Asks the kernel, and waits no longer than until then; without waiting if that is over.
    Ask(Option<Instant>),
}

impl State {
    /// The state of an empty pool with this number.
    pub(super) fn new(number: u32) -> Self {
        let parking = Parking::new(number);
        Self { parking, ready: Vec::new(), steps: 0, surplus: Vec::new(), new_places: 0, room: 0 }
    }

    /// Decides what comes next. Whatever there is to do, the kernel is asked every
    /// [`MOST_STEPS`] steps, or the listen socket would not be heard.
    pub(super) fn next_step(&mut self) -> Step {
        if !self.surplus.is_empty() {
            return Step::MakeRoom;
        }
        let deadline = self.parking.earliest();
        let is_late = deadline.is_some_and(|deadline| deadline <= clock::now());
        if !is_late && self.ready.is_empty() {
            self.steps = 0;
            return Step::Ask(deadline);
        }
        if self.steps >= MOST_STEPS {
            self.steps = 0;
            return Step::Ask(Some(clock::now()));
        }
        self.steps += 1;
        // By turns, so that neither waits for all of the other.
        let event = if is_late && self.steps % 2 == 1 { None } else { self.ready.pop() };
        event.map_or(Step::Expire, Step::Follow)
    }

    /// Returns how many connections may be parked: a quarter of the descriptors is the program's.
    pub(super) fn most(&self, max_waiting: usize) -> usize {
        max_waiting.min(self.room).max(1)
    }

    /// Puts a connection into its place. Where there are `max_waiting` already, the one of least worth has
    /// to go. Returns whether an event for it has come already.
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

    /// Gives up the connection that has been idle for the longest time, if the program has closed it.
    fn release_stale(&mut self) {
        let longest = self.parking.longest_idle();
        if let Some(stale) = longest.filter(|key| !self.parking.is_own(*key, file_number)) {
            self.parking.release(stale);
        }
    }

    /// Whether a thread has to see to something before it may wait for its own connection.
    pub(super) fn has_work(&self) -> bool {
        let is_late = || self.parking.earliest().is_some_and(|deadline| deadline <= clock::now());
        !self.ready.is_empty() || !self.surplus.is_empty() || is_late()
    }

    /// A place for a connection that has none.
    pub(super) fn new_key(&mut self) -> Result<Key, NoMemory> {
        if self.new_places % PLACES_BETWEEN_LOOKS == 0 {
            let descriptors = descriptor_limit();
            self.room = descriptors - descriptors / 4;
        }
        self.new_places = self.new_places.wrapping_add(1);
        let key = self.parking.reserve()?;
        // Noting an event must not need memory.
        let most = self.parking.slots_made() + Ready::MOST;
        let more = most.saturating_sub(self.ready.len());
        let enough = reserve(&mut self.ready, more);
        if enough.is_err() {
            self.parking.release(key);
        }
        enough.map(|()| key)
    }

    /// Takes out the connection that is the first to close when there are too many.
    pub(super) fn take_least_worth(&mut self) -> Option<TakenOut> {
        while let Some(taken_out) = self.surplus.pop() {
            if self.parking.is_own(taken_out.0, file_number) {
                return Some(taken_out);
            }
            self.parking.release(taken_out.0);
        }
        self.take_own(Parking::least_worth)
    }

    /// Takes out a connection that is parked.
    pub(super) fn take(&mut self, key: Key) -> Option<TakenOut> {
        self.parking.take(key).map(|(fd, parked)| (key, fd, parked))
    }

    /// Takes out a connection that is parked with this descriptor, unless the program has closed it.
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

    /// Stops watching a connection that leaves, and gives up its place. Returns false if its number has
    /// come to mean something else: then the program has closed it.
    pub(super) fn forget(&mut self, fd: RawFd, key: Key, watcher: &Watcher) -> bool {
        let is_latest = self.parking.is_latest(key, fd);
        let registration = self.parking.registration(key);
        // The instance may be lost: then the file says it.
        let mut is_own = || watcher.remove(fd) || self.parking.is_own(key, file_number);
        let stays = is_latest && (registration == Registration::No || is_own());
        self.parking.release(key);
        stays
    }

    /// Gives up all connections, in a child: no memory may be freed at this moment.
    pub(super) fn abandon(&mut self, close: impl Fn(RawFd)) {
        for (key, fd, _) in &self.surplus {
            if self.parking.is_own(*key, file_number) {
                close(*fd);
            }
        }
        std::mem::forget(std::mem::take(&mut self.surplus));
        self.parking.abandon(file_number, close);
    }

    /// Takes out a connection whose time is over.
    pub(super) fn take_expired(&mut self, now: Instant) -> Option<TakenOut> {
        self.take_own(|parking| parking.expired(now))
    }

    /// Takes out a parked connection for which the kernel does not vouch by an event. One whose number has
    /// come to mean something else is lost: that is left alone, and the next one taken.
    fn take_own(&mut self, next: impl Fn(&Parking) -> Option<Key>) -> Option<TakenOut> {
        loop {
            let key = next(&self.parking)?;
            if self.parking.is_own(key, file_number) {
                return self.take(key);
            }
            self.parking.release(key);
        }
    }

    /// The kernel does not watch anything any more: each parked connection is to be looked at, and so
    /// registered anew, and `event` before them.
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

    /// Arms the connections that were left unarmed for too long. Returns whether there are others.
    pub(super) fn arm_forgotten(&mut self, watcher: &Watcher, now: u32) -> bool {
        while let Some((key, age)) = self.parking.first_unarmed(now) {
            if age < LONG_UNARMED {
                return true;
            }
            self.arm(key, watcher);
        }
        false
    }

    /// Arms all connections that are unarmed: no thread is going to come by soon.
    pub(super) fn arm_all(&mut self, watcher: &Watcher) {
        while let Some((key, _)) = self.parking.first_unarmed(0) {
            self.arm(key, watcher);
        }
    }

    /// Arms a connection that is unarmed. One whose number has come to mean something else was closed by
    /// the program, and is forgotten.
    pub(super) fn arm(&mut self, key: Key, watcher: &Watcher) {
        let Some(fd) = self.parking.take_unarmed(key) else { return };
        if self.parking.is_own(key, file_number) {
            self.rearm(key, fd, Interest::OneShot, watcher);
        } else {
            self.parking.release(key);
        }
    }

    /// Has the kernel speak of a parked connection, again if it has done so already.
    pub(super) fn rearm(&mut self, key: Key, fd: RawFd, interest: Interest, watcher: &Watcher) {
        let armed = watcher.epoll().and_then(|e| e.modify(fd, interest, key.token()));
        if armed.is_err() && watcher.is_lost() {
            // All are registered again when that is mended.
            self.look_next_at(UNASKED);
        } else if armed.is_err() {
            self.parking.release(key);
        }
    }

    /// Makes a connection unarmed that was armed because no thread held one: the first of them.
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

    /// Notes an event, to be looked at behind all others.
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

    /// Takes note that an event was seen to. Returns whether there was one.
    pub(super) fn forget_event(&mut self, event: u64) -> bool {
        let before = self.ready.len();
        self.ready.retain(|&other| other != event);
        self.ready.len() < before
    }

    /// Notes an event, to be looked at before all others.
    pub(super) fn look_next_at(&mut self, event: u64) {
        // There is room: see `new_place`. Those of the listen socket come again.
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

    fn watched_place(state: &mut State) -> Key {
        let key = state.new_key().unwrap();
        state.parking.set_registration(key, 0, Registration::Once);
        key
    }

    #[test]
    #[cfg_attr(miri, ignore = "no getrlimit in Miri")]
    fn no_more_connections_wait_than_the_limit() {
        let mut state = State::new(0);
        for fd in 0..100 {
            let key = watched_place(&mut state);
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
        // It is looked up seldom.
        state.room = 7;
        for _ in 1..PLACES_BETWEEN_LOOKS {
            state.new_key().unwrap();
        }
        assert_eq!(state.room, 7);
        state.new_key().unwrap();
        assert_eq!(state.room, most - most / 4);
    }

    /// Events that never end, and thousands whose time is over: each comes, and the kernel is asked.
    #[test]
    #[cfg_attr(miri, ignore = "no getrlimit in Miri")]
    fn the_kernel_is_asked_whatever_there_is_to_do() {
        for is_late in [false, true] {
            let mut state = State::new(0);
            if is_late {
                for fd in 0..1000 {
                    let key = watched_place(&mut state);
                    let late = waiting(Stage::Silent, Duration::ZERO);
                    state.park((key, fd, late), usize::MAX);
                }
            }
            state.new_key().unwrap();
            let (mut since_asked, mut asked, mut followed, mut expired) = (0, 0, 0, 0);
            for _ in 0..1500 {
                // Whatever is followed comes again.
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
        let key = watched_place(&mut state);
        let parked = waiting(Stage::Silent, LATER);
        let deadline = parked.wait.deadline;
        state.park((key, 5, parked), 20);
        for _ in 0..2 * MOST_STEPS {
            assert_eq!(state.next_step(), Step::Ask(deadline));
        }
    }
}
