//! The number of threads that sleep in a pool.

use std::sync::atomic::{AtomicU32, Ordering};

/// The position of the count's number; the bits below are the count itself.
const SHIFT: u32 = 16;

/// Counts sleeping threads. A thread that was cancelled there, or has jumped out of a signal handler,
/// does not leave. So the count is restarted from time to time, without the threads that sleep at that
/// moment.
#[derive(Debug)]
pub(super) struct Sleepers {
    counted: AtomicU32,
    /// All sleeping threads, and those that did not leave.
    all: AtomicU32,
}

/// The count in which a thread is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count(u32);

/// A number that no count has.
const NONE: Count = Count(u32::MAX);

impl Sleepers {
    pub(super) const fn new() -> Self {
        Self { counted: AtomicU32::new(0), all: AtomicU32::new(0) }
    }

    /// Counts a thread and returns its count.
    pub(super) fn enter(&self) -> Count {
        self.all.fetch_add(1, Ordering::SeqCst);
        Count(self.counted.fetch_add(1, Ordering::SeqCst) >> SHIFT)
    }

    /// Counts a thread in the total only: as long as it is alone, no other thread needs to know.
    pub(super) fn enter_uncounted(&self) -> Count {
        self.all.fetch_add(1, Ordering::SeqCst);
        NONE
    }

    /// Removes a thread from the total, and from its count unless that was restarted since.
    pub(super) fn leave(&self, count: Count) {
        self.all.fetch_sub(1, Ordering::SeqCst);
        if count == NONE {
            return;
        }
        let less = |now: u32| (now >> SHIFT == count.0 && number(now) > 0).then(|| now - 1);
        let _ = self.counted.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
    }

    /// Returns how many threads have entered since the count was restarted, and still sleep.
    pub(super) fn number(&self) -> u32 {
        number(self.counted.load(Ordering::SeqCst))
    }

    /// Returns how many threads sleep at most.
    pub(super) fn at_most(&self) -> u32 {
        self.all.load(Ordering::SeqCst)
    }

    /// Restarts the count.
    pub(super) fn restart(&self) {
        let next = |now: u32| Some(((now >> SHIFT) + 1) << SHIFT);
        let _ = self.counted.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next);
    }
}

const fn number(counted: u32) -> u32 {
    counted & ((1 << SHIFT) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restarted_count_is_without_earlier_threads() {
        let sleepers = Sleepers::new();
        let alone = sleepers.enter_uncounted();
        assert_eq!((sleepers.number(), sleepers.at_most()), (0, 1));
        sleepers.leave(alone);
        let [first, lost] = [0, 1].map(|_| sleepers.enter());
        assert_eq!((first, sleepers.number()), (lost, 2));
        sleepers.restart();
        let second = sleepers.enter();
        sleepers.leave(first);
        assert_eq!((sleepers.number(), sleepers.at_most()), (1, 2));
        sleepers.leave(second);
        assert_eq!((sleepers.number(), sleepers.at_most()), (0, 1));
        // Numbers of counts wrap around.
        let counted = AtomicU32::new(u32::MAX << SHIFT);
        let sleepers = Sleepers { counted, all: AtomicU32::new(0) };
        let last = sleepers.enter();
        sleepers.restart();
        sleepers.leave(last);
        assert_eq!((sleepers.number(), sleepers.enter()), (0, Count(0)));
    }
}
