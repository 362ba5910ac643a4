//! How many threads sleep in a pool.

use std::sync::atomic::{AtomicU32, Ordering};

/// Where the number of a count begins; the bits below it are the count.
const SHIFT: u32 = 16;

/// Counts threads that sleep. One that was cancelled there, or has jumped out of a signal handler, does not
/// leave; so the count is begun anew from time to time, without those that sleep at that moment.
#[derive(Debug)]
pub(super) struct Sleepers {
    counted: AtomicU32,
    /// All of them, and those that did not leave.
    all: AtomicU32,
}

/// Which count a thread was counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count(u32);

/// No count has this number.
const NONE: Count = Count(u32::MAX);

impl Sleepers {
    pub(super) const fn new() -> Self {
        Self { counted: AtomicU32::new(0), all: AtomicU32::new(0) }
    }

    /// Counts a thread.
    pub(super) fn enter(&self) -> Count {
        self.all.fetch_add(1, Ordering::SeqCst);
        Count(self.counted.fetch_add(1, Ordering::SeqCst) >> SHIFT)
    }

    /// Counts a thread among all only: as long as it is alone it matters to no other one.
    pub(super) fn enter_uncounted(&self) -> Count {
        self.all.fetch_add(1, Ordering::SeqCst);
        NONE
    }

    /// Counts a thread no more, unless the count was begun anew since it came.
    pub(super) fn leave(&self, count: Count) {
        self.all.fetch_sub(1, Ordering::SeqCst);
        if count == NONE {
            return;
        }
        let less = |now: u32| (now >> SHIFT == count.0 && number(now) > 0).then(|| now - 1);
        let _ = self.counted.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
    }

    /// How many threads have come since the count was begun, and sleep.
    pub(super) fn number(&self) -> u32 {
        number(self.counted.load(Ordering::SeqCst))
    }

    /// How many threads sleep at most.
    pub(super) fn at_most(&self) -> u32 {
        self.all.load(Ordering::SeqCst)
    }

    /// Begins the count anew.
    pub(super) fn begin_anew(&self) {
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
    fn a_count_that_is_begun_anew_is_without_those_before() {
        let sleepers = Sleepers::new();
        let alone = sleepers.enter_uncounted();
        assert_eq!((sleepers.number(), sleepers.at_most()), (0, 1));
        sleepers.leave(alone);
        let [first, lost] = [0, 1].map(|_| sleepers.enter());
        assert_eq!((first, sleepers.number()), (lost, 2));
        sleepers.begin_anew();
        let second = sleepers.enter();
        sleepers.leave(first);
        assert_eq!((sleepers.number(), sleepers.at_most()), (1, 2));
        sleepers.leave(second);
        assert_eq!((sleepers.number(), sleepers.at_most()), (0, 1));
        // Numbers of counts are used again.
        let counted = AtomicU32::new(u32::MAX << SHIFT);
        let sleepers = Sleepers { counted, all: AtomicU32::new(0) };
        let last = sleepers.enter();
        sleepers.begin_anew();
        sleepers.leave(last);
        assert_eq!((sleepers.number(), sleepers.enter()), (0, Count(0)));
    }
}
