//! How long a process with one thread waits for the head of a connection that it has just accepted.
//!
//! Most web servers connect first and send immediately, some in several pieces. Until the head is there, the
//! thread does nothing else: otherwise it would enter the program with an accepted connection that no other
//! process can serve any more. That connection would wait for the end of this process's request although a
//! sibling is idle, and it would be lost if the process ended with that request.
//!
//! Silent connections delay all others meanwhile. So a [`Budget`] limits the graces that pass without a head.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::accept_options::AcceptOptions;
use super::connection::Connection;
use super::head::{HeadProgress, receive_head};
use super::patience::{GRACE_SHARE, LONGEST_GRACE, MOST_LOOKS, MOST_RECEIVED, WASTED_GRACES};
use crate::os::lock::Lock;
use crate::os::poll::{self, PollFd, READABLE};
use crate::os::{clock, shutdown};

/// The time that graces may still waste.
#[derive(Debug)]
pub(super) struct Budget {
    /// In microseconds.
    left: u64,
    /// When `left` was computed; `None` before the first grace.
    at: Option<Instant>,
}

impl Budget {
    /// Returns the whole budget.
    pub(super) const fn new() -> Self {
        Self { left: WASTED_GRACES.as_micros() as u64, at: None }
    }

    /// Returns how long a grace that begins now may take, in whole milliseconds as for poll.
    fn grace(&mut self, now: Instant) -> Duration {
        let passed = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.at = Some(now);
        let share = passed.as_micros() as u64 / GRACE_SHARE;
        self.left = self.left.saturating_add(share).min(WASTED_GRACES.as_micros() as u64);
        Duration::from_millis(self.left / 1000).min(LONGEST_GRACE)
    }

    /// Subtracts a grace that passed without a head.
    fn spend(&mut self, took: Duration) {
        self.left = self.left.saturating_sub(took.as_micros() as u64);
    }
}

/// The result of a grace.
#[derive(Debug)]
pub(super) struct End {
    /// What was received last.
    pub(super) outcome: HeadProgress,
    /// Whether a signal interrupted the wait.
    pub(super) signalled: bool,
}

/// Waits for the whole head of a connection, as long as the budget and the caller's options allow.
/// Signals do not end the wait: the connection is the program's next request. A request to shut down ends
/// it, and so does a fork that makes this process another one. `outcome`: of the first look.
pub(super) fn wait(
    connection: &mut Connection,
    outcome: HeadProgress,
    budget: &Lock<Budget>,
    options: &AcceptOptions,
) -> End {
    let begin = clock::now();
    let grace = budget.lock().grace(begin);
    let end = begin.checked_add(grace).into_iter().chain(options.until).min();
    let mut state = End { outcome, signalled: false };
    for _ in 0..MOST_LOOKS {
        let left = end.map_or(Duration::ZERO, |end| end.saturating_duration_since(clock::now()));
        if !state.outcome.lacks_head() || shutdown::is_requested() || left.is_zero() {
            break;
        }
        // A head of this size is unusual, and has to be counted.
        if connection.exchange.held() >= MOST_RECEIVED {
            break;
        }
        match poll::poll(&mut [PollFd::new(connection.fd, READABLE)], Some(left)) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                state.signalled = true;
                if connection.is_inherited() {
                    break;
                }
            }
            Err(_) => break,
        }
        state.outcome = receive_head(connection, options);
    }
    if !matches!(state.outcome, HeadProgress::Ready(_)) {
        budget.lock().spend(clock::now().saturating_duration_since(begin));
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how long graces take if each is wasted, with this time between two of them; and the whole
    /// time.
    fn in_vain(count: u32, between: Duration) -> (Duration, Duration) {
        let mut budget = Budget::new();
        let begin = Instant::now();
        let mut now = begin;
        for _ in 0..count {
            let grace = budget.grace(now);
            assert!(grace <= LONGEST_GRACE);
            budget.spend(grace);
            now += grace + between;
        }
        let all = now - begin;
        (all - between * count, all)
    }

    #[test]
    fn graces_in_vain_take_their_share_and_no_more() {
        assert_eq!(in_vain(5, Duration::ZERO).0, WASTED_GRACES);
        let (in_vain_all, all) =
            in_vain(if cfg!(miri) { 500 } else { 1_000_000 }, Duration::from_micros(1));
        assert!(
            in_vain_all <= WASTED_GRACES + all / GRACE_SHARE as u32,
            "{in_vain_all:?} of {all:?}"
        );
        // If they are rare, each takes the longest grace.
        assert_eq!(in_vain(1000, LONGEST_GRACE * (GRACE_SHARE as u32 - 1)).0, LONGEST_GRACE * 1000);
    }

    #[test]
    fn what_has_come_to_something_costs_nothing() {
        let mut budget = Budget::new();
        let now = Instant::now();
        assert!((0..1000).all(|_| budget.grace(now) == LONGEST_GRACE));
    }
}
