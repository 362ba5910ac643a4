//! What the kernel watches for a pool: one epoll instance with the listen socket, the wake-up descriptor
//! of [`crate::os::shutdown`], and connections.

use std::fmt::Write as _;
use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use once_cell::sync::OnceCell;

use super::accept_options::AcceptOptions;
use super::alarm::Alarm;
use super::patience::{FIRST_WAIT, LONGEST_WAIT, SHORTAGE_WAIT};
use crate::os::descriptor::descriptor_limit;
use crate::os::error::{AcceptTrouble, is_unwatchable, is_watched_already};
use crate::os::io::Stderr;
use crate::os::lock::Lock;
use crate::os::poll::{Epoll, Interest, Ready};
use crate::os::{clock, fork, shutdown, threads};

/// The token of the listen socket.
pub(super) const LISTEN: u64 = u64::MAX;
const WAKE_UP: u64 = u64::MAX - 1;
/// The token of the alarm.
const ALARM: u64 = u64::MAX - 3;
/// Not a token of the kernel's: try the listen socket although epoll did not report it.
pub(super) const UNASKED: u64 = u64::MAX - 2;

/// The epoll instance of a pool; made when it is first needed.
#[derive(Debug)]
pub(super) struct Watcher {
    listen_fd: RawFd,
    epoll: OnceCell<Epoll>,
    /// Threads that replace the instance take turns: it is missing meanwhile.
    turn_to_renew: Lock<()>,
    /// Whether registering the listen socket again has failed: the kernel does not report it then.
    is_hidden: AtomicBool,
    alarm: Alarm,
}

impl Watcher {
    /// Returns a watcher without an instance; makes no system call.
    pub(super) const fn new(listen_fd: RawFd) -> Self {
        Self {
            listen_fd,
            epoll: OnceCell::new(),
            turn_to_renew: Lock::new(()),
            is_hidden: AtomicBool::new(false),
            alarm: Alarm::new(ALARM),
        }
    }

    /// Returns what makes the instance readable in time, for a program that polls it.
    pub(super) const fn alarm(&self) -> &Alarm {
        &self.alarm
    }

    /// Returns the instance; makes it if there is none.
    pub(super) fn epoll(&self) -> io::Result<&Epoll> {
        match self.epoll.get() {
            Some(epoll) if epoll.descriptor() >= 0 => Ok(epoll),
            _ => self.make(),
        }
    }

    #[cold]
    fn make(&self) -> io::Result<&Epoll> {
        let epoll = self
            .epoll
            .get_or_try_init(|| Epoll::new(shutdown::check_wake_up, WAKE_UP))
            .inspect_err(say_what_is_missing)?;
        let _turn = self.turn_to_renew.lock();
        if epoll.descriptor() < 0 {
            epoll.renew(shutdown::check_wake_up)?;
        }
        Ok(epoll)
    }

    /// Returns whether the instance has to be replaced: the program has closed it or the wake-up
    /// descriptor, or reuses its number.
    pub(super) fn is_broken(&self) -> bool {
        let is_whole =
            |epoll: &Epoll| shutdown::check_wake_up().is_ok_and(|w| w == epoll.witness());
        // Without an instance no wake-up descriptor is needed.
        self.epoll.get().is_some_and(|e| e.descriptor() < 0 || !is_whole(e) || e.is_lost())
    }

    /// Returns whether the number of the instance stands for another file.
    pub(super) fn is_lost(&self) -> bool {
        self.epoll.get().is_some_and(Epoll::is_lost)
    }

    /// Replaces the instance; the new one watches nothing. Whatever has the number of the earlier one is
    /// left alone. After an error there is no instance.
    pub(super) fn renew(&self) -> io::Result<()> {
        let _turn = self.turn_to_renew.lock();
        let Some(epoll) = self.epoll.get() else { return Ok(()) };
        epoll.renew(shutdown::check_wake_up)?;
        self.alarm.renew(epoll)
    }

    /// Registers the listen socket.
    pub(super) fn add_listen_socket(&self) -> io::Result<()> {
        let add = || self.epoll()?.add(self.listen_fd, Interest::Exclusive, LISTEN);
        match add() {
            // Not a socket: accept4 returns that error.
            Err(error) if is_unwatchable(&error) => Ok(()),
            // The program has closed the instance, in which nothing was registered yet.
            Err(_) if self.is_lost() => self.renew().and_then(|()| add()),
            result => result,
        }
    }

    /// Stops watching the listen socket.
    pub(super) fn stop_listening(&self) {
        self.remove(self.listen_fd);
    }

    /// Reports the wake-up no longer.
    pub(super) fn silence_wake_up(&self) {
        if let Some(epoll) = self.epoll.get() {
            let _ = epoll.watch_witness(Interest::Silent);
        }
    }

    /// Reports the wake-up again.
    pub(super) fn hear_wake_up(&self) {
        if let Some(epoll) = self.epoll.get() {
            let _ = epoll.watch_witness(Interest::Level);
        }
    }

    /// Registers the listen socket if the kernel does not watch it any more.
    pub(super) fn find_listen_socket(&self) -> io::Result<()> {
        let result = self.epoll()?.add(self.listen_fd, Interest::Exclusive, LISTEN);
        let is_watched = !result.is_err_and(|error| !is_watched_already(&error));
        self.is_hidden.store(!is_watched, Ordering::Relaxed);
        Ok(())
    }

    /// Registers the listen socket behind all others that wait for it, in this process and in others. If
    /// two threads do so at the same time, the second does nothing.
    pub(super) fn move_listen_socket_last(&self) {
        let moved =
            self.epoll.get().map(|e| e.move_last(self.listen_fd, Interest::Exclusive, LISTEN));
        if matches!(moved, Some(Err(_))) {
            self.is_hidden.store(true, Ordering::Relaxed);
        }
    }

    /// Returns whether the caller is the only thread, and the program does not poll the instance: then nothing
    /// else acts on an event before the caller does.
    pub(super) fn is_alone(&self) -> bool {
        threads::only_one() && !self.alarm.is_on()
    }

    /// Removes a registration. Returns whether there was one.
    pub(super) fn remove(&self, fd: RawFd) -> bool {
        self.epoll.get().is_some_and(|epoll| epoll.remove(fd))
    }

    /// Closes the instance and the alarm. Async-signal-safe.
    pub(super) fn give_up(&self) {
        if let Some(epoll) = self.epoll.get() {
            self.alarm.give_up(epoll);
            epoll.give_up();
        }
    }

    /// Makes the instance readable when a thread has to come, if the program polls it.
    pub(super) fn set_alarm(&self, due: impl FnOnce() -> Option<Instant>) {
        if self.alarm.is_on() {
            let look = self.time_of_look().and_then(|time| clock::now().checked_add(time));
            due().into_iter().chain(look).min().into_iter().for_each(|at| self.set_off_at(at));
        }
    }

    /// Makes the instance readable at this time, if the program polls it.
    pub(super) fn set_off_at(&self, at: Instant) {
        self.epoll.get().into_iter().for_each(|epoll| self.alarm.set(at, epoll));
    }

    /// Makes the instance readable now, if the program polls it: also if it is so already, which is news
    /// where polling is edge-triggered.
    pub(super) fn set_off_again(&self) {
        self.epoll.get().into_iter().for_each(|epoll| self.alarm.go_off_again(epoll));
    }

    /// Returns the time to the next look for what the kernel does not report, in a pool that the program
    /// polls: a listen socket that is not watched, or a connection for which a sibling process was woken that
    /// has died.
    fn time_of_look(&self) -> Option<Duration> {
        if self.is_hidden.load(Ordering::Relaxed) {
            return Some(SHORTAGE_WAIT);
        }
        fork::has_family().then_some(LONGEST_WAIT)
    }

    /// Silences the alarm if it has gone off. Returns whether that may be for an unasked look.
    fn takes_alarm(&self, ready: &Ready, epoll: &Epoll) -> bool {
        let is_alarm = self.alarm.is_on() && ready.tokens().any(|token| token == ALARM);
        if is_alarm {
            self.alarm.silence(epoll);
        }
        is_alarm && self.time_of_look().is_some()
    }

    /// Waits for an event as long as the options allow, and for `longest` at most. Returns the first
    /// token that is ready; `other` gets the others. Fails with `TimedOut` after a short first wait
    /// without an event.
    pub(super) fn wait(
        &self,
        longest: Duration,
        options: &AcceptOptions,
        mut other: impl FnMut(u64),
    ) -> io::Result<Option<u64>> {
        let epoll = self.epoll()?;
        let is_hidden = self.is_hidden.load(Ordering::Relaxed);
        let most = if is_hidden { SHORTAGE_WAIT.min(longest) } else { longest };
        let timeout = options.wait(most);
        let mut ready = Ready::new();
        // With several threads, this one may come back late for a second event.
        let most = if self.is_alone() { Ready::MOST } else { 1 };
        if options.fail_on_intr {
            epoll.wait_for_handlers_only(&mut ready, most, Some(timeout))?;
        } else {
            epoll.wait(&mut ready, most, Some(timeout))?;
        }
        let is_woken = ready.tokens().any(|token| token == WAKE_UP);
        let woke = is_woken && !shutdown::is_requested() && !shutdown::is_calling();
        if woke {
            shutdown::ignore_wake_up();
        }
        if self.takes_alarm(&ready, epoll) {
            other(UNASKED);
        }
        let mut tokens = ready.tokens().filter(|&token| token != WAKE_UP && token != ALARM);
        let first = tokens.next();
        // A process that is always busy would never try the listen socket unasked. And the loss of the
        // wake-up's other end may be what has woken this one.
        tokens.chain((woke || is_hidden && first.is_some()).then_some(UNASKED)).for_each(other);
        let is_unheard = ready.tokens().next().is_none() && !timeout.is_zero();
        match longest {
            FIRST_WAIT if is_unheard => Err(ErrorKind::TimedOut.into()),
            _ if is_unheard && longest >= FIRST_WAIT => Ok(Some(UNASKED)),
            _ => Ok(first),
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// Explains once on stderr why idle connections hold threads.
#[cold]
fn say_what_is_missing(error: &io::Error) {
    static SAID: AtomicBool = AtomicBool::new(false);
    if AcceptTrouble::of(error) == AcceptTrouble::Shortage && !SAID.swap(true, Ordering::Relaxed) {
        let most = descriptor_limit();
        let _ = writeln!(
            Stderr,
            "libfcgi: too few descriptors (RLIMIT_NOFILE is {most}) to wait for several connections \
             together: idle ones are closed after a second"
        );
    }
}
