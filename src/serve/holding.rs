//! How each of several threads waits: it holds a connection, watches the pool, or sleeps in the pool.
//!
//! A client that sends the next request immediately is served fastest by the thread that has just
//! answered it. That thread *holds* the connection: it polls it for [`HOLD`] at
//! most, without a call that makes epoll watch it. The connection is parked meanwhile, but *unarmed*: it
//! has its slot and is registered, but silent. Some threads *watch* the pool as well while they hold, by
//! its epoll descriptor. Threads without such a connection *sleep* in the pool.
//!
//! A connection is unarmed from the end of its request on, although its thread may never come back. So it
//! is left unarmed only where some thread will see to it: [`Holding::may_leave_unarmed`]. Every thread
//! that comes by arms connections that have been unarmed for too long.
//!
//! The counts are hints. If one is wrong, because a thread was cancelled, nothing is lost: at worst a
//! connection is armed immediately, which is one more system call, or waits until the next thread comes
//! by. A quiet moment corrects the counts of holders.

use std::io;
use std::io::ErrorKind::TimedOut;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use super::accept_options::AcceptOptions;
use super::duty::Duty;
use super::patience::{
    CROWD, FIRST_WAIT, HOLD, LONG_UNARMED, LOOKS, MOST_SHARES, MOST_SLEEPERS, QUIET, QUIET_LOOKS,
    RESERVED, SLOW_FOR, SLOW_REQUEST,
};
use super::reserve::Reserve;
use super::sleepers::{Count, Sleepers};
use super::watcher::UNASKED;
use crate::os::{fork, threads};

/// Counts of the threads of one pool, and what happened there lately.
#[derive(Debug)]
pub(super) struct Holding {
    holders: AtomicU32,
    /// When a thread last began to hold, of [`crate::os::clock::milliseconds`].
    held_at: AtomicU32,
    /// When one last began to watch as well.
    watched_at: AtomicU32,
    watchers: AtomicU32,
    sleepers: Sleepers,
    /// Whether a sleeping thread is the sentry.
    sentry: AtomicBool,
    /// When the watchman looks for what epoll does not report, of [`crate::os::clock::milliseconds`]; 0
    /// without a watchman.
    next_look: AtomicU32,
    /// Whether an event has come since a thread last began to sleep.
    heard: AtomicBool,
    /// When the first thread went to sleep since the last event, of [`crate::os::clock::milliseconds`].
    silent_since: AtomicU32,
    /// The number of requests for which connections are not held.
    crowd: AtomicU32,
    reserve: Reserve,
    /// Until when requests count as slow, of [`crate::os::clock::milliseconds`].
    slow_until: AtomicU32,
}

/// How a thread holds a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    Alone,
    /// It watches the pool, too.
    AndWatch,
}

/// What a thread finds when its hold of a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing on its connection.
    Nothing,
    /// Its connection is readable.
    Request,
    /// Its connection is readable, and the pool has an event, too: there are more connections than threads.
    Crowd,
}

/// How a thread sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sleep {
    /// For this number of seconds. It grows with the number of sleeping threads: together they wake as
    /// seldom as one.
    Long(u32),
    /// For this number of milliseconds, in reserve: enough others sleep in the pool.
    InReserve(u32),
    /// Until this time, when it looks for what epoll does not report.
    Watchman(u32),
    /// For a moment, after which it arms connections that have been unarmed for too long.
    Sentry,
}

impl Sleep {
    /// Returns for how long a thread sleeps from `now` on.
    pub(super) fn longest(self, now: u32, options: &AcceptOptions) -> Duration {
        match self {
            Self::Sentry => HOLD,
            _ if options.looks => FIRST_WAIT,
            Self::Watchman(until) => Duration::from_millis(until.wrapping_sub(now).into()),
            Self::Long(seconds) => Duration::from_secs(seconds.into()),
            Self::InReserve(milliseconds) => Duration::from_millis(milliseconds.into()),
        }
    }
}

impl Holding {
    pub(super) const fn new() -> Self {
        Self {
            holders: AtomicU32::new(0),
            held_at: AtomicU32::new(0),
            watched_at: AtomicU32::new(0),
            watchers: AtomicU32::new(0),
            sleepers: Sleepers::new(),
            sentry: AtomicBool::new(false),
            next_look: AtomicU32::new(0),
            heard: AtomicBool::new(true),
            silent_since: AtomicU32::new(0),
            crowd: AtomicU32::new(0),
            reserve: Reserve::new(),
            slow_until: AtomicU32::new(0),
        }
    }

    /// Returns whether a connection may be left unarmed: a holder is back in a moment, or no thread
    /// sleeps and so each that comes to wait sees to it. The caller has the lock under which threads
    /// [`Holding::go_to_sleep`].
    pub(super) fn may_leave_unarmed(&self, now: u32) -> bool {
        if self.crowd.load(Ordering::Relaxed) > 0 {
            self.crowd.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        self.sleepers.at_most() == 0
            || self.holders.load(Ordering::SeqCst) > 0 && !Self::is_long_ago(&self.held_at, now)
            || self.sentry.load(Ordering::SeqCst)
    }

    /// Notes that a request is over `now`, and for how many milliseconds the program had it.
    pub(super) fn note_request(&self, took: u32, now: u32) {
        if took >= SLOW_REQUEST {
            self.slow_until.store(now.wrapping_add(SLOW_FOR), Ordering::Relaxed);
        }
    }

    /// Returns how many threads may watch the pool. Two are enough while requests are quick; with slow
    /// requests both may be in the program for long.
    fn limit(&self, now: u32) -> u32 {
        let left = self.slow_until.load(Ordering::Relaxed).wrapping_sub(now);
        if left <= SLOW_FOR { u32::MAX } else { 2 }
    }

    /// Returns whether there are more connections than threads, as far as is known.
    pub(super) fn is_crowded(&self) -> bool {
        self.crowd.load(Ordering::Relaxed) > 0
    }

    pub(super) fn begin_hold(&self, now: u32) -> Hold {
        if Self::is_long_ago(&self.held_at, now) {
            // Earlier holds have ended, or their threads never come back.
            self.holders.store(0, Ordering::SeqCst);
            self.watchers.store(0, Ordering::Relaxed);
        }
        self.held_at.store(now, Ordering::Relaxed);
        self.holders.fetch_add(1, Ordering::SeqCst);
        let watching = self.watchers.load(Ordering::Relaxed) + self.sleepers.number();
        if watching < self.limit(now) || Self::is_long_ago(&self.watched_at, now) {
            self.watched_at.store(now, Ordering::Relaxed);
            self.watchers.fetch_add(1, Ordering::Relaxed);
            return Hold::AndWatch;
        }
        Hold::Alone
    }

    /// Returns whether all holds that began before this time have ended.
    fn is_long_ago(moment: &AtomicU32, now: u32) -> bool {
        Self::is_over(moment, now, 2 * LONG_UNARMED)
    }

    /// Ends a hold. Returns whether unarmed connections are left to threads that sleep.
    pub(super) fn end_hold(&self, hold: Hold) -> bool {
        if hold == Hold::AndWatch {
            let less = |n: u32| n.checked_sub(1);
            let _ = self.watchers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
        let left =
            self.holders.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        let was_last = left.is_ok_and(|before| before == 1);
        was_last && self.is_left_to_sleepers()
    }

    fn is_left_to_sleepers(&self) -> bool {
        self.sleepers.at_most() > 0 && !self.sentry.load(Ordering::SeqCst)
    }

    /// Notes that the pool had an event when the thread's own connection was readable: there are more
    /// connections than threads.
    pub(super) fn note_crowd(&self) {
        self.crowd.store(CROWD, Ordering::Relaxed);
    }

    /// Counts a thread that sleeps from now on. One becomes the sentry if connections are unarmed.
    pub(super) fn go_to_sleep(&self, duty: Duty, now: u32) -> (Sleep, Count) {
        if duty != Duty::Unarmed && threads::only_one() {
            return (Sleep::Long(LOOKS), self.sleepers.enter_uncounted());
        }
        let count = self.sleepers.enter();
        if duty == Duty::Unarmed && !self.sentry.swap(true, Ordering::SeqCst) {
            return (Sleep::Sentry, count);
        }
        if self.heard.load(Ordering::Relaxed) {
            self.heard.store(false, Ordering::Relaxed);
            self.silent_since.store(now, Ordering::Relaxed);
        }
        (self.how_to_sleep(count, duty, now), count)
    }

    fn how_to_sleep(&self, count: Count, duty: Duty, now: u32) -> Sleep {
        let sleepers = self.sleepers.number();
        let is_busy = !Self::is_over(&self.silent_since, now, RESERVED);
        if sleepers > MOST_SLEEPERS && is_busy && duty != Duty::Ask && self.reserve.enter().is_ok()
        {
            self.sleepers.leave(count);
            // The others may have left meanwhile, before they could see a thread in reserve.
            self.replace();
            return Sleep::InReserve(self.reserve.number().min(MOST_SHARES) * RESERVED);
        }
        // Threads that were cancelled, or have jumped out, are counted, too.
        let idle = self.sleepers.at_most().saturating_add(self.reserve.number()).min(MOST_SHARES);
        // The watchman makes half of the looks, the others together the other half.
        let share = if idle > 1 { 2 } else { 1 };
        let interval = share * if self.is_quiet(now) { QUIET_LOOKS } else { LOOKS };
        let next_look = self.next_look.load(Ordering::Relaxed);
        // A look in the past was missed: its thread was cancelled.
        if next_look > 0 && next_look.wrapping_sub(now) <= 1000 * interval {
            return Sleep::Long(idle * interval);
        }
        let next_look = now.wrapping_add(1000 * interval).max(1);
        self.next_look.store(next_look, Ordering::Relaxed);
        Sleep::Watchman(next_look)
    }

    /// Waits in reserve until the thread is called, for `longest` at most. Fails with `Interrupted` after
    /// a signal, with `TimedOut` after a short first wait.
    pub(super) fn wait_in_reserve(
        &self,
        longest: Duration,
        options: &AcceptOptions,
    ) -> io::Result<()> {
        match self.reserve.wait(options.wait(longest)) {
            Err(error) if error.kind() == TimedOut && options.looks => Err(error),
            Err(error) if error.kind() == TimedOut => {
                // Threads that are counted as sleeping in the pool may have been cancelled there.
                self.sleepers.restart();
                Ok(())
            }
            result => result,
        }
    }

    /// Calls a thread from the reserve if no thread sleeps in the pool. Each thread that leaves the pool
    /// calls this, whether it has slept there or not: the thread that was called may be busy by now.
    pub(super) fn replace(&self) {
        if self.sleepers.number() == 0 {
            self.reserve.call_one();
        }
    }

    /// Calls all threads from the reserve.
    pub(super) fn call_all(&self) {
        self.reserve.call_all();
    }

    /// Returns whether threads sleep in the pool, or were cancelled there.
    pub(super) fn has_sleepers(&self) -> bool {
        self.sleepers.at_most() > 0
    }

    /// Returns whether the silence is so long that looks may be rare. A thread that is alone goes on
    /// looking, and so do processes related by fork: a process may have died that was woken for a
    /// connection.
    fn is_quiet(&self, now: u32) -> bool {
        Self::is_over(&self.silent_since, now, QUIET)
            && Self::is_over(&self.held_at, now, QUIET)
            && !fork::has_family()
    }

    fn is_over(moment: &AtomicU32, now: u32, time: u32) -> bool {
        now.wrapping_sub(moment.load(Ordering::Relaxed)) >= time
    }

    /// Counts a thread that has woken for `token`. Returns whether unarmed connections are left to
    /// threads that still sleep.
    pub(super) fn wake(&self, (sleep, count): (Sleep, Count), token: Option<u64>) -> bool {
        self.sleepers.leave(count);
        let has_heard = token.is_some_and(|token| token != UNASKED);
        if has_heard && !self.heard.load(Ordering::Relaxed) {
            self.heard.store(true, Ordering::Relaxed);
        }
        match sleep {
            Sleep::Long(_) | Sleep::InReserve(_) => return false,
            Sleep::Watchman(until) => {
                // Another thread may be the watchman by now.
                let is_own = |next_look| (next_look == until).then_some(0);
                let _ = self.next_look.fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_own);
                return false;
            }
            Sleep::Sentry => self.sentry.store(false, Ordering::SeqCst),
        }
        self.holders.load(Ordering::SeqCst) == 0 && self.is_left_to_sleepers()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_watch_and_all_beside_slow_requests() {
        let holding = Holding::new();
        let begin = |now| (0..4).map(|_| holding.begin_hold(now)).collect::<Vec<_>>();
        let end = |holds: Vec<Hold>| holds.into_iter().for_each(|h| assert!(!holding.end_hold(h)));
        let two = [Hold::AndWatch, Hold::AndWatch, Hold::Alone, Hold::Alone];
        let holds = begin(u32::MAX / 2);
        assert_eq!(holds, two);
        end(holds);
        let now = u32::MAX - 10;
        holding.note_request(SLOW_REQUEST - 1, now);
        holding.note_request(SLOW_REQUEST, now);
        let holds = begin(now.wrapping_add(SLOW_FOR));
        assert_eq!(holds, [Hold::AndWatch; 4]);
        end(holds);
        let holds = begin(now.wrapping_add(SLOW_FOR + 1));
        assert_eq!(holds, two);
        end(holds);
        assert_eq!(holding.go_to_sleep(Duty::None, now).0, Sleep::Watchman(now.wrapping_add(1000)));
        assert_eq!(begin(now.wrapping_add(SLOW_FOR + 1))[..2], [Hold::AndWatch, Hold::Alone]);
    }

    #[test]
    fn a_connection_is_unarmed_where_a_thread_comes_by() {
        let holding = Holding::new();
        assert!(holding.may_leave_unarmed(0));
        let watchman = holding.go_to_sleep(Duty::None, 0);
        assert!(!holding.may_leave_unarmed(0));
        let hold = holding.begin_hold(0);
        assert!(holding.may_leave_unarmed(0));
        assert!(holding.end_hold(hold), "the last one, and others sleep");
        let [sentry, other] = [0, 1].map(|_| holding.go_to_sleep(Duty::Unarmed, 0));
        let all = [watchman.0, sentry.0, other.0];
        assert_eq!(all, [Sleep::Watchman(1000), Sleep::Sentry, Sleep::Long(6)]);
        assert!(holding.may_leave_unarmed(0));
        let hold = holding.begin_hold(0);
        assert!(!holding.end_hold(hold), "the sentry sees to them");
        assert!(holding.wake(sentry, None), "two others sleep on");
        assert!(!holding.wake(other, None) && !holding.wake(watchman, None));
        holding.note_crowd();
        assert!((0..CROWD).all(|_| !holding.may_leave_unarmed(0)) && holding.may_leave_unarmed(0));
    }
}
