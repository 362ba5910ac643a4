//! The listen socket of a listener: the program's time limit on it, and what follows when accept4 fails.

use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::accept_options::AcceptOptions;
use super::patience::{LUCK, MOST_EMPTY_ACCEPTS, PAUSE};
use super::troubles::{Consequence, Troubles};
use crate::os::descriptor::{file_number, is_nonblocking};
use crate::os::error::AcceptTrouble;
use crate::os::mark::{self, Waiter};
use crate::os::poll::{self, PollFd, READABLE};
use crate::os::socket::{self, Accepted};
use crate::os::{clock, signal};

/// A listen socket. It may come to mean another one of the program's, by its number.
#[derive(Debug)]
pub(super) struct Entrance {
    pub(super) fd: RawFd,
    /// What tells it from others, as of the last look.
    file: AtomicU32,
    /// The program's limit for a wait on it, in milliseconds; 0 for none.
    limit: AtomicU32,
    /// Calls of accept4 that found nothing since one that did, and the other way round.
    empty_accepts: AtomicU32,
    in_luck: AtomicU32,
    troubles: Troubles,
    /// Whether a connection was given up for a shortage, and none accepted since.
    has_made_room: AtomicBool,
    /// Whether the program was found to have made a pooled listener's socket non-blocking itself.
    refuses_to_wait: AtomicBool,
}

impl Entrance {
    pub(super) fn new(fd: RawFd) -> Self {
        let entrance = Self {
            fd,
            file: AtomicU32::new(0),
            limit: AtomicU32::new(0),
            empty_accepts: AtomicU32::new(0),
            in_luck: AtomicU32::new(0),
            troubles: Troubles::new(),
            has_made_room: AtomicBool::new(false),
            refuses_to_wait: AtomicBool::new(false),
        };
        entrance.look_anew();
        entrance
    }

    /// Takes note of what the number stands for.
    pub(super) fn look_anew(&self) {
        let file = file_number(self.fd);
        if self.file.swap(file, Ordering::Relaxed) != file {
            // What was in vain says nothing about this one.
            self.empty_accepts.store(0, Ordering::Relaxed);
        }
        self.look_for_limit();
    }

    /// What tells it from others: see [`file_number`].
    pub(super) fn file(&self) -> u32 {
        self.file.load(Ordering::Relaxed)
    }

    /// Takes note of the program's limit for a wait. The kernel keeps to it only where accept4 blocks.
    pub(super) fn look_for_limit(&self) {
        let limit = socket::time_limit(self.fd).map_or(0, |limit| limit.as_micros().div_ceil(1000));
        self.limit.store(limit.try_into().unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// Returns the terms of a wait that begins now: it may be over by that limit, or at once.
    pub(super) fn options(&self, options: AcceptOptions) -> AcceptOptions {
        let options = AcceptOptions { looks: true, ..options.until(self.end_of_wait()) };
        if self.refuses_to_wait() { self.after_a_look(options) } else { options }
    }

    /// Looks whether the program has made a pooled listener's socket non-blocking itself: then it does not
    /// wait. If it has taken the flag away, the library sets it again.
    #[cold]
    pub(super) fn after_a_look(&self, options: AcceptOptions) -> AcceptOptions {
        let refuses = mark::make_nonblocking(self.fd).is_ok_and(|who| who == Waiter::Program);
        self.refuses_to_wait.store(refuses, Ordering::Relaxed);
        AcceptOptions { looks: false, ..options.until(refuses.then(clock::now)) }
    }

    /// Leaves the socket's flags as they were, unless another process needs them as they are. With
    /// `is_pooled` a later call has to set them again.
    pub(super) fn leave(&self, is_pooled: bool) {
        mark::take_back(self.fd);
        self.refuses_to_wait.store(is_pooled, Ordering::Relaxed);
    }

    /// Whether the program was found to have made a pooled listener's socket non-blocking itself.
    pub(super) fn refuses_to_wait(&self) -> bool {
        self.refuses_to_wait.load(Ordering::Relaxed)
    }

    /// Returns when a wait that begins now is over by that limit.
    fn end_of_wait(&self) -> Option<Instant> {
        match self.limit.load(Ordering::Relaxed) {
            0 => None,
            limit => clock::now().checked_add(Duration::from_millis(limit.into())),
        }
    }

    /// Whether an accept4 that blocks, and was over without a connection, has kept to that limit.
    pub(super) fn is_over_by_limit(&self) -> io::Result<bool> {
        Ok(!is_nonblocking(self.fd)? && socket::time_limit(self.fd).is_some())
    }

    /// Accepts once. Takes note of what that says about the socket.
    pub(super) fn accept(&self) -> io::Result<Accepted> {
        let result = socket::accept(self.fd);
        match &result {
            Ok(_) => {
                self.empty_accepts.store(0, Ordering::Relaxed);
                self.in_luck.fetch_add(1, Ordering::Relaxed);
                self.troubles.are_over();
                self.has_made_room.store(false, Ordering::Relaxed);
            }
            Err(_) => {
                self.empty_accepts.fetch_add(1, Ordering::Relaxed);
                self.in_luck.store(0, Ordering::Relaxed);
            }
        }
        result
    }

    /// Whether so many connections were there, one after the other, that others may be queued: a thread
    /// tries without asking the kernel first.
    pub(super) fn may_have_more(&self) -> bool {
        self.in_luck.load(Ordering::Relaxed) >= LUCK
    }

    /// Whether connections that are not there have been announced so often that the socket may be shut
    /// down, which the kernel announces in the same way.
    pub(super) fn is_suspect(&self) -> bool {
        self.empty_accepts.load(Ordering::Relaxed) > MOST_EMPTY_ACCEPTS
    }

    /// Whether the number stands for another socket than at the last look, or for none. It may be about to
    /// stand for a listen socket again: one that is made has to be bound before it listens.
    pub(super) fn is_changing(&self) -> bool {
        file_number(self.fd) != self.file()
    }

    /// Whether the number, which did not stand for a listen socket when a call failed, has come to. The
    /// program gets a moment in which to make one.
    #[cold]
    pub(super) fn listens_by_now(&self) -> bool {
        if self.is_changing() {
            pause();
        }
        let listens = || socket::check_listens(self.fd).is_ok() && !socket::is_shut_down(self.fd);
        (self.is_changing() || !self.is_suspect()) && listens()
    }

    /// Waits errors out that the next accept4 need not meet again; returns the others.
    pub(super) fn not_accepted(&self, error: io::Error, options: &AcceptOptions) -> io::Result<()> {
        match AcceptTrouble::of(&error) {
            AcceptTrouble::Interrupted if options.fail_on_intr && !signal::shutdown_requested() => {
                Err(error)
            }
            AcceptTrouble::Interrupted | AcceptTrouble::Empty => Ok(()),
            AcceptTrouble::Passing => match self.troubles.next(|| self.has_connection()) {
                Consequence::TryAgain => Ok(()),
                Consequence::Pause => {
                    pause();
                    Ok(())
                }
                Consequence::Return => Err(error),
            },
            AcceptTrouble::Shortage => {
                pause();
                Ok(())
            }
            AcceptTrouble::NotListening | AcceptTrouble::Lasting => Err(error),
        }
    }

    /// As [`Entrance::not_accepted`], for a wait that the kernel does not restart as it does accept.
    pub(super) fn not_waited(&self, error: io::Error, options: &AcceptOptions) -> io::Result<()> {
        if error.kind() == ErrorKind::Interrupted && !options.ends_by_signal() {
            return Ok(());
        }
        self.not_accepted(error, options)
    }

    /// Whether a parked connection has to go in a shortage. One goes for one that is accepted, or in
    /// each moment: several threads may meet the same shortage, and it may be one of the machine.
    pub(super) fn needs_room(&self) -> bool {
        // accept4 speaks of the shortage before it looks whether there is a connection.
        self.has_connection() && !self.has_made_room.swap(true, Ordering::Relaxed)
    }

    /// Waits a moment for a shortage to pass.
    pub(super) fn wait_for_room(&self) {
        pause();
        self.has_made_room.store(false, Ordering::Relaxed);
    }

    /// Whether a connection waits to be accepted.
    fn has_connection(&self) -> bool {
        poll::one(self.fd, READABLE, Some(Duration::ZERO)).is_ok_and(|events| events != 0)
    }
}

/// Waits a moment. A signal ends it early, which the caller looks at.
fn pause() {
    // It is not made now: it takes descriptors.
    let wake_up = signal::existing_wake_up().unwrap_or(-1);
    let _ = poll::poll(&mut [PollFd::new(wake_up, READABLE)], Some(PAUSE));
}
