//! What the kernel watches for a pool: one epoll instance with the listen socket, the wake-up descriptor of
//! [`crate::os::signal`], and connections.

use std::fmt::Write as _;
use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use once_cell::sync::OnceCell;

use super::accept_options::AcceptOptions;
use super::patience::{FIRST_WAIT, SHORTAGE_WAIT};
use crate::os::descriptor::descriptor_limit;
use crate::os::error::{AcceptTrouble, is_unwatchable, is_watched_already};
use crate::os::io::Stderr;
use crate::os::lock::Lock;
use crate::os::poll::{Epoll, Interest, Ready};
use crate::os::{signal, threads};

/// The token of the listen socket.
pub(super) const LISTEN: u64 = u64::MAX;
const WAKE_UP: u64 = u64::MAX - 1;
/// The token of the listen socket, of which the kernel has not spoken.
pub(super) const UNASKED: u64 = u64::MAX - 2;

/// The epoll instance of a pool; made when it is needed first.
#[derive(Debug)]
pub(super) struct Watcher {
    listen_fd: RawFd,
    epoll: OnceCell<Epoll>,
    /// Threads that make it anew take turns: meanwhile it is missing.
    turn_to_renew: Lock<()>,
    /// Whether registering the listen socket anew has failed: the kernel does not speak of it.
    is_hidden: AtomicBool,
}

impl Watcher {
    /// One that watches nothing; makes no system call.
    pub(super) const fn new(listen_fd: RawFd) -> Self {
        Self {
            listen_fd,
            epoll: OnceCell::new(),
            turn_to_renew: Lock::new(()),
            is_hidden: AtomicBool::new(false),
        }
    }

    /// Returns the instance.
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
            .get_or_try_init(|| Epoll::new(signal::check_wake_up, WAKE_UP))
            .inspect_err(say_what_is_missing)?;
        let _turn = self.turn_to_renew.lock();
        if epoll.descriptor() < 0 {
            epoll.renew(signal::check_wake_up)?;
        }
        Ok(epoll)
    }

    /// Whether the instance that there was has to be made anew: the program has closed it or the wake-up,
    /// or uses its number.
    pub(super) fn is_broken(&self) -> bool {
        let is_whole = |epoll: &Epoll| signal::check_wake_up().is_ok_and(|w| w == epoll.witness());
        // Where there is no instance, a wake-up would be made in vain.
        self.epoll.get().is_some_and(|e| e.descriptor() < 0 || !is_whole(e) || e.is_lost())
    }

    /// Whether the number of the instance has come to mean something else.
    pub(super) fn is_lost(&self) -> bool {
        self.epoll.get().is_some_and(Epoll::is_lost)
    }

    /// Makes the instance anew; it watches nothing then. What stands at the number of the earlier one is
    /// left alone. After an error there is no instance.
    pub(super) fn renew(&self) -> io::Result<()> {
        let _turn = self.turn_to_renew.lock();
        self.epoll.get().map_or(Ok(()), |epoll| epoll.renew(signal::check_wake_up))
    }

    /// Begins to watch the listen socket.
    pub(super) fn add_listen_socket(&self) -> io::Result<()> {
        let add = || self.epoll()?.add(self.listen_fd, Interest::Exclusive, LISTEN);
        match add() {
            // Not a socket at all; accept4 says so.
            Err(error) if is_unwatchable(&error) => Ok(()),
            // The program has closed the instance, which watches nothing yet.
            Err(_) if self.is_lost() => self.renew().and_then(|()| add()),
            result => result,
        }
    }

    /// Registers the listen socket if the kernel does not know it any more.
    pub(super) fn find_listen_socket(&self) -> io::Result<()> {
        let result = self.epoll()?.add(self.listen_fd, Interest::Exclusive, LISTEN);
        let is_watched = !result.is_err_and(|error| !is_watched_already(&error));
        self.is_hidden.store(!is_watched, Ordering::Relaxed);
        Ok(())
    }

    /// Registers the listen socket behind all others that wait for it, in this process and in others. Of
    /// two threads that do so at the same time the second finds nothing to move.
    pub(super) fn move_listen_socket_last(&self) {
        let moved =
            self.epoll.get().map(|e| e.move_last(self.listen_fd, Interest::Exclusive, LISTEN));
        if matches!(moved, Some(Err(_))) {
            self.is_hidden.store(true, Ordering::Relaxed);
        }
    }

    /// Stops watching a descriptor. Returns whether it was watched.
    pub(super) fn remove(&self, fd: RawFd) -> bool {
        self.epoll.get().is_some_and(|epoll| epoll.remove(fd))
    }

    /// Closes the instance before its time. Async-signal-safe.
    pub(super) fn give_up(&self) {
        if let Some(epoll) = self.epoll.get() {
            epoll.give_up();
        }
    }

    /// Waits for as long as the terms allow, or `longest`, for something to come. Returns the token of the
    /// first that is ready; `other` gets the others. `TimedOut` after a first wait in which nothing came.
    pub(super) fn wait(
        &self,
        longest: Duration,
        options: &AcceptOptions,
        other: impl FnMut(u64),
    ) -> io::Result<Option<u64>> {
        let epoll = self.epoll()?;
        let is_hidden = self.is_hidden.load(Ordering::Relaxed);
        let most = if is_hidden { SHORTAGE_WAIT.min(longest) } else { longest };
        let timeout = options.wait(most);
        let mut ready = Ready::new();
        // With other threads there is no telling when this one comes back for a second event.
        let most = if threads::only_one() { Ready::MOST } else { 1 };
        if options.fail_on_intr {
            epoll.wait_for_handlers_only(&mut ready, most, Some(timeout))?;
        } else {
            epoll.wait(&mut ready, most, Some(timeout))?;
        }
        let woke = ready.tokens().any(|token| token == WAKE_UP) && !signal::shutdown_requested();
        if woke {
            signal::ignore_wake_up();
        }
        let mut tokens = ready.tokens().filter(|&token| token != WAKE_UP);
        let first = tokens.next();
        // A process that is always busy would never come to look unasked; and what has woken this one may
        // be the loss of the wake-up's other end.
        tokens.chain((woke || is_hidden && first.is_some()).then_some(UNASKED)).for_each(other);
        let is_unheard = ready.tokens().next().is_none() && !timeout.is_zero();
        match longest {
            FIRST_WAIT if is_unheard => Err(ErrorKind::TimedOut.into()),
            _ if is_unheard && longest >= FIRST_WAIT => Ok(Some(UNASKED)),
            _ => Ok(first),
        }
    }
}

/// Says once why idle connections hold threads.
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
