//! A pool whose epoll instance the program polls, for an event loop.
//!
//! The instance is readable as long as a call that does not wait would return something. The kernel sees to
//! that for the listen socket, for connections and for the wake-up; an [`Alarm`](super::alarm::Alarm) sees to
//! it for deadlines, and for events that were taken and not acted on. A polled pool registers connections
//! one-shot even where there is one thread: a request in progress must not keep the instance readable.
//!
//! While it drains, the wake-up is silent, or it would keep the instance readable for the whole time.

use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

use super::accept_options::AcceptOptions;
use super::connection::Connection;
use super::drain::{Drain, accept_announced};
use super::entry::Entry;
use super::event::Event;
use super::head::Turn;
use super::patience::PAUSE;
use super::pool::Pool;
use crate::os::error::{no_epoll, would_block};
use crate::os::poll::{self, READABLE};
use crate::os::{clock, shutdown};

/// Has the program poll a pool. Returns the descriptor to poll.
pub(super) fn begin(pool: &Pool) -> io::Result<RawFd> {
    if let Entry::NoEpoll = pool.enter()? {
        return Err(no_epoll());
    }
    pool.watcher().alarm().begin(pool.watcher().epoll()?)?;
    // From now on all connections are registered one-shot, and none stays unarmed.
    pool.look(|state| state.arm_all(pool.watcher()));
    pool.set_alarm();
    Ok(pool.descriptor())
}

/// Returns whether a thread that does not wait finds something to do in a pool. Arms what is unarmed first:
/// the thread is not going to come by again.
pub(super) fn is_readable(pool: &Pool) -> bool {
    let has_work = pool.look(|state| {
        state.arm_all(pool.watcher());
        state.has_work()
    });
    let is_readable = || poll::one(pool.descriptor(), READABLE, Some(Duration::ZERO));
    has_work || is_readable().is_ok_and(|events| events != 0)
}

/// Does not watch the listen socket for a moment, in which it could not be accepted from.
pub(super) fn rest(pool: &Pool) {
    pool.look(|state| state.resting_until = clock::now().checked_add(PAUSE));
    pool.watcher().stop_listening();
    pool.set_alarm();
}

/// Silences the wake-up, unless other threads sleep in the pool, which it is to wake.
fn silence_wake_up(pool: &Pool) {
    if pool.has_sleepers() {
        pool.call_reserve();
    } else {
        pool.watcher().silence_wake_up();
    }
}

/// Returns one more request of a drain, without waiting longer than the options allow; `None` when it is
/// over. Fails with EAGAIN if it is not, and there is none.
///
/// The first call looks at all connections; later ones at those which the kernel reports, and at those whose
/// time is over.
#[cold]
pub(super) fn drain_next(
    drain: &Drain,
    pool: &Arc<Pool>,
    last: Option<Connection>,
    options: &AcceptOptions,
) -> Turn {
    if drain.is_first_look() {
        pool.watcher().stop_listening();
        let new = accept_announced(pool.listen_fd(), options);
        if let Some(accepted) = drain.look_at_all(pool, last, new, options) {
            return Ok(Some(accepted));
        }
        drain.note_look();
    } else if let Some(last) = last {
        drain.look_at_all(pool, Some(last), None, options);
    }
    silence_wake_up(pool);
    while pool.look(|state| !state.parking.is_empty()) {
        let taken_out = match pool.next(options)? {
            Event::Heard(taken_out) | Event::Late(taken_out) | Event::Surplus(taken_out) => {
                taken_out
            }
            Event::Listen | Event::Unasked => continue,
            Event::Nothing if options.is_over() && !is_readable(pool) => return Err(would_block()),
            Event::Nothing => continue,
        };
        let wait = taken_out.2.wait;
        let Some(connection) = Connection::taken_out(pool, taken_out) else { continue };
        if let Some(accepted) = drain.look_at(pool, (connection, wait), options) {
            return Ok(Some(accepted));
        }
    }
    // From now on every call ends like this one.
    pool.watcher().hear_wake_up();
    Ok(None)
}

/// Goes on after a drain: the library was initialised again.
pub(super) fn go_on(pool: &Pool) {
    if !shutdown::is_requested() {
        pool.watcher().hear_wake_up();
        let _ = pool.find_listen_socket();
        pool.set_alarm();
    }
}
