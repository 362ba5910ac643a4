//! The listen socket of a listener: the program's timeout for it, and what follows when accept4 fails.

use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::accept_options::{AcceptOptions, Limit};
use super::patience::{LUCK, MOST_EMPTY_ACCEPTS, PAUSE};
use super::troubles::{Consequence, Troubles};
use crate::os::descriptor::{file_number, is_nonblocking};
use crate::os::error::AcceptTrouble;
use crate::os::mark::{self, Waiter};
use crate::os::poll::{self, PollFd, READABLE};
use crate::os::socket::{self, Accepted};
use crate::os::{clock, shutdown};

/// A listen socket. The program may put another one at its number.
#[derive(Debug)]
pub(super) struct Entrance {
    pub(super) fd: RawFd,
    /// [`file_number`] of the socket, as of the last look.
    file: AtomicU32,
    /// The program's timeout (SO_RCVTIMEO), in milliseconds; 0 for none.
    limit: AtomicU32,
    /// Calls of accept4 in a row that found no connection.
    empty_accepts: AtomicU32,
    /// Calls of accept4 in a row that found one.
    full_accepts: AtomicU32,
    troubles: Troubles,
    /// Whether a parked connection was closed in a shortage, and none accepted since.
    has_made_room: AtomicBool,
    /// Whether the program has made a pooled listener's socket non-blocking, as of the last look.
    refuses_to_wait: AtomicBool,
}

impl Entrance {
    pub(super) fn new(fd: RawFd) -> Self {
        let entrance = Self {
            fd,
            file: AtomicU32::new(0),
            limit: AtomicU32::new(0),
            empty_accepts: AtomicU32::new(0),
            full_accepts: AtomicU32::new(0),
            troubles: Troubles::new(),
            has_made_room: AtomicBool::new(false),
            refuses_to_wait: AtomicBool::new(false),
        };
        entrance.look_anew();
        entrance
    }

    /// Looks which socket the number stands for.
    pub(super) fn look_anew(&self) {
        let file = file_number(self.fd);
        if self.file.swap(file, Ordering::Relaxed) != file {
            // Empty accepts of the earlier socket say nothing about this one.
            self.empty_accepts.store(0, Ordering::Relaxed);
        }
        self.look_for_limit();
    }

    /// Returns the socket's [`file_number`], as of the last look.
    pub(super) fn file(&self) -> u32 {
        self.file.load(Ordering::Relaxed)
    }

    /// Reads the program's timeout. The kernel applies it only where accept4 blocks.
    pub(super) fn look_for_limit(&self) {
        let limit = socket::time_limit(self.fd).map_or(0, |limit| limit.as_micros().div_ceil(1000));
        self.limit.store(limit.try_into().unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// Prepares the options of a wait that begins now: the timeout may end it, or immediately a socket that
    /// the program made non-blocking, unless the caller says how long it waits.
    #[inline(always)]
    pub(super) fn prepare(&self, options: &mut AcceptOptions) {
        options.looks = true;
        let end = self.end_of_wait().filter(|_| options.limit == Limit::Socket);
        if end.is_some() {
            *options = options.until(end);
        }
        // A shutdown has restored the flag: see `leave`.
        if self.refuses_to_wait() {
            *options = self.after_a_look(*options);
        }
    }

    /// Checks whether the program has made a pooled listener's socket non-blocking: then the wait is
    /// over. If the program has cleared the flag, sets it again.
    #[cold]
    pub(super) fn after_a_look<'a>(&self, options: AcceptOptions<'a>) -> AcceptOptions<'a> {
        let refuses = mark::make_nonblocking(self.fd).is_ok_and(|who| who == Waiter::Program);
        self.refuses_to_wait.store(refuses, Ordering::Relaxed);
        let is_over = refuses && options.limit == Limit::Socket;
        AcceptOptions { looks: false, ..options.until(is_over.then(clock::now)) }
    }

    /// Restores the socket's flags, unless another process needs them. With `is_pooled` a later call sets
    /// them again.
    pub(super) fn leave(&self, is_pooled: bool) {
        mark::take_back(self.fd);
        self.refuses_to_wait.store(is_pooled, Ordering::Relaxed);
    }

    /// Returns whether a call does not wait: the program has made a pooled listener's socket non-blocking,
    /// as of the last look, and the socket says how long to wait.
    pub(super) fn refuses(&self, limit: Limit) -> bool {
        limit == Limit::Socket && self.refuses_to_wait()
    }

    /// Returns whether a call does not wait, because the program has made the socket non-blocking.
    pub(super) fn is_nonblocking(&self, limit: Limit) -> bool {
        limit == Limit::Socket && mark::nonblocking_by_program(self.fd)
    }

    /// Returns whether the program has made a pooled listener's socket non-blocking, as of the last look.
    fn refuses_to_wait(&self) -> bool {
        self.refuses_to_wait.load(Ordering::Relaxed)
    }

    /// Returns when that timeout ends a wait that begins now.
    fn end_of_wait(&self) -> Option<Instant> {
        match self.limit.load(Ordering::Relaxed) {
            0 => None,
            limit => clock::now().checked_add(Duration::from_millis(limit.into())),
        }
    }

    /// Returns whether accept4 was blocking and the timeout ended it.
    pub(super) fn is_over_by_limit(&self) -> io::Result<bool> {
        Ok(!is_nonblocking(self.fd)? && socket::time_limit(self.fd).is_some())
    }

    /// Accepts once, and counts what that says about the socket.
    pub(super) fn accept(&self) -> io::Result<Accepted> {
        let result = socket::accept(self.fd);
        match &result {
            Ok(_) => {
                self.empty_accepts.store(0, Ordering::Relaxed);
                self.full_accepts.fetch_add(1, Ordering::Relaxed);
                self.troubles.are_over();
                self.has_made_room.store(false, Ordering::Relaxed);
            }
            Err(_) => {
                self.empty_accepts.fetch_add(1, Ordering::Relaxed);
                self.full_accepts.store(0, Ordering::Relaxed);
            }
        }
        result
    }

    /// Returns whether accept4 has found connections so often in a row that more may be queued: a thread
    /// then tries again without asking the kernel first.
    pub(super) fn may_have_more(&self) -> bool {
        self.full_accepts.load(Ordering::Relaxed) >= LUCK
    }

    /// Returns whether so many accepts in a row were empty that the socket may be shut down: the kernel
    /// reports that in the same way.
    pub(super) fn is_suspect(&self) -> bool {
        self.empty_accepts.load(Ordering::Relaxed) > MOST_EMPTY_ACCEPTS
    }

    /// Returns whether the number stands for another socket than at the last look, or for none. It may
    /// become a listen socket again: a new one is bound before it listens.
    pub(super) fn is_changing(&self) -> bool {
        file_number(self.fd) != self.file()
    }

    /// Returns whether the number stands for a listen socket by now, although it did not when a call
    /// failed. Gives the program a moment in which to make one.
    #[cold]
    pub(super) fn listens_by_now(&self, options: &AcceptOptions) -> bool {
        if self.is_changing() {
            pause(options);
        }
        let listens = || socket::check_listens(self.fd).is_ok() && !socket::is_shut_down(self.fd);
        (self.is_changing() || !self.is_suspect()) && listens()
    }

    /// Handles an error of accept4: waits if it may pass, returns it otherwise.
    pub(super) fn not_accepted(&self, error: io::Error, options: &AcceptOptions) -> io::Result<()> {
        match AcceptTrouble::of(&error) {
            AcceptTrouble::Interrupted if options.fail_on_intr && !shutdown::is_requested() => {
                Err(error)
            }
            AcceptTrouble::Interrupted | AcceptTrouble::Empty => Ok(()),
            AcceptTrouble::Passing => match self.troubles.next(|| self.has_connection()) {
                Consequence::TryAgain => Ok(()),
                Consequence::Pause => {
                    pause(options);
                    Ok(())
                }
                Consequence::Return => Err(error),
            },
            AcceptTrouble::Shortage => {
                pause(options);
                Ok(())
            }
            AcceptTrouble::NotListening | AcceptTrouble::Lasting => Err(error),
        }
    }

    /// Handles an error of a wait, as [`Entrance::not_accepted`] does. The kernel does not restart such a
    /// wait as it restarts accept.
    pub(super) fn not_waited(&self, error: io::Error, options: &AcceptOptions) -> io::Result<()> {
        if error.kind() == ErrorKind::Interrupted && !options.ends_by_signal() {
            return Ok(());
        }
        self.not_accepted(error, options)
    }

    /// Returns whether a parked connection has to be closed in a shortage: one for each that is accepted,
    /// or one in each moment. Several threads may meet the same shortage, and it may be one of the
    /// machine.
    pub(super) fn needs_room(&self) -> bool {
        // accept4 reports the shortage before it looks for a connection.
        self.has_connection() && !self.has_made_room.swap(true, Ordering::Relaxed)
    }

    /// Waits a moment for a shortage to pass.
    pub(super) fn wait_for_room(&self, options: &AcceptOptions) {
        pause(options);
        self.has_made_room.store(false, Ordering::Relaxed);
    }

    /// Returns whether a connection waits to be accepted.
    fn has_connection(&self) -> bool {
        poll::one(self.fd, READABLE, Some(Duration::ZERO)).is_ok_and(|events| events != 0)
    }
}

/// Waits a moment, as far as the options allow. A signal ends it early; the caller checks for that.
fn pause(options: &AcceptOptions) {
    // Only an existing one: a new one takes descriptors.
    let wake_up = shutdown::existing_wake_up().unwrap_or(-1);
    let _ = poll::poll(&mut [PollFd::new(wake_up, READABLE)], Some(options.wait(PAUSE)));
}
