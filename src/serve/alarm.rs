//! What makes a pool's epoll instance readable when its time has come, for a program that polls it.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use once_cell::sync::OnceCell;

use crate::os::clock;
use crate::os::error::is_watched_already;
use crate::os::lock::Lock;
use crate::os::poll::{Epoll, Interest};
use crate::os::timer::Timer;

/// A timer in an epoll instance. It is off until the program asks for the instance's descriptor.
#[derive(Debug)]
pub(super) struct Alarm {
    is_on: AtomicBool,
    timer: OnceCell<Timer>,
    /// When it goes off, unless it has done so.
    at: Lock<Option<Instant>>,
    token: u64,
}

impl Alarm {
    /// Returns an alarm that is off. `token`: by which epoll reports it.
    pub(super) const fn new(token: u64) -> Self {
        let is_on = AtomicBool::new(false);
        Self { is_on, timer: OnceCell::new(), at: Lock::new(None), token }
    }

    /// Returns whether the program polls the instance.
    pub(super) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Switches the alarm on.
    pub(super) fn begin(&self, epoll: &Epoll) -> io::Result<()> {
        self.timer.get_or_try_init(Timer::new)?;
        self.register(epoll)?;
        self.is_on.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn register(&self, epoll: &Epoll) -> io::Result<()> {
        let Some(timer) = self.timer.get() else { return Ok(()) };
        match epoll.add(timer.descriptor(), Interest::Level, self.token) {
            Err(error) if is_watched_already(&error) => Ok(()),
            result => result,
        }
    }

    /// Makes another timer for a new instance: without the earlier one, nothing shows whether the timer's
    /// number is still that of the timer.
    pub(super) fn renew(&self, epoll: &Epoll) -> io::Result<()> {
        let mut at = self.at.lock();
        let Some(timer) = self.timer.get() else { return Ok(()) };
        *at = None;
        timer.replace()?;
        self.register(epoll)
    }

    /// Returns the timer, if its number still stands for it. Otherwise the program has closed it.
    fn own(&self, epoll: &Epoll) -> Option<&Timer> {
        let is_own =
            |timer: &&Timer| epoll.modify(timer.descriptor(), Interest::Level, self.token).is_ok();
        self.timer.get().filter(is_own)
    }

    /// Makes it go off at this time, unless it does so earlier.
    pub(super) fn set(&self, due: Instant, epoll: &Epoll) {
        let mut at = self.at.lock();
        if !self.is_on() || at.is_some_and(|at| at <= due) {
            return;
        }
        if self.own(epoll).is_none() {
            let renewed =
                self.timer.get().map(|timer| timer.replace().and_then(|()| self.register(epoll)));
            if !matches!(renewed, Some(Ok(()))) {
                return;
            }
        }
        if let Some(timer) = self.timer.get() {
            let is_set = timer.set(Some(due.saturating_duration_since(clock::now())));
            *at = is_set.is_ok().then_some(due);
        }
    }

    /// Makes it go off now, also if it has done so.
    pub(super) fn go_off_again(&self, epoll: &Epoll) {
        if self.is_on() {
            self.silence(epoll);
            self.set(clock::now(), epoll);
        }
    }

    /// Silences it after it has gone off.
    pub(super) fn silence(&self, epoll: &Epoll) {
        let mut at = self.at.lock();
        if let Some(timer) = self.own(epoll) {
            let _ = timer.set(None);
        }
        *at = None;
    }

    /// Closes the timer. Async-signal-safe.
    pub(super) fn give_up(&self, epoll: &Epoll) {
        self.own(epoll).into_iter().for_each(Timer::give_up);
    }
}
