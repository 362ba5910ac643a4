//! When a process moves behind its siblings in the queue for new connections.
//!
//! Processes that share a listen socket wait for it in the order in which they have registered it, and
//! the kernel reports a new connection to the first one that waits at the moment. A process that serves
//! kept connections waits for moments only, but often: in front of the others it would collect all new
//! connections, and idle siblings would get none. So it registers the socket again, and is the last, when
//! it keeps a connection for the first time. It does so again while it serves kept requests, because
//! siblings become idle meanwhile, and belong in front.

use std::sync::atomic::{AtomicU32, Ordering};

use super::patience::{QUICK_REQUESTS, STEP_BACK_INTERVAL};

/// What was served since the last step back. Concurrent threads may lose a count, which matters as little
/// as one step more or less.
#[derive(Debug)]
pub(super) struct Pace {
    since: AtomicU32,
    requests: AtomicU32,
}

impl Pace {
    pub(super) const fn new() -> Self {
        Self { since: AtomicU32::new(0), requests: AtomicU32::new(0) }
    }

    /// Counts a request on a kept connection. Returns whether the process has to step back now. `now`: of
    /// [`crate::os::clock::milliseconds`].
    pub(super) fn is_due(&self, now: u32) -> bool {
        let is_due = now.wrapping_sub(self.since.load(Ordering::Relaxed)) >= STEP_BACK_INTERVAL;
        let requests = self.requests.load(Ordering::Relaxed) + 1;
        if is_due || requests >= QUICK_REQUESTS {
            self.since.store(now, Ordering::Relaxed);
            self.requests.store(0, Ordering::Relaxed);
        } else {
            self.requests.store(requests, Ordering::Relaxed);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how often it steps back in 100 requests, one every `milliseconds`.
    fn steps(milliseconds: u32) -> usize {
        let pace = Pace::new();
        // The clock wraps around meanwhile.
        let begin = u32::MAX - 50;
        assert!(pace.is_due(begin), "the first one");
        let mut times = (1..=100).map(|n| begin.wrapping_add(n * milliseconds));
        (0..100).filter(|_| pace.is_due(times.next().unwrap())).count()
    }

    #[test]
    fn slow_requests_make_it_step_back_and_quick_ones_do_not() {
        assert_eq!([10, 5].map(steps), [100, 100]);
        assert_eq!([3, 2].map(steps), [50, 33]);
        assert_eq!([1, 0].map(steps), [0, 0]);
    }
}
