//! A pool whose epoll instance the program polls, for an event loop.
//!
//! The instance is readable as long as a call that does not wait would return something. The kernel sees to
//! that for the listen socket, for connections and for the wake-up; an [`Alarm`](super::alarm::Alarm) sees to
//! it for deadlines, and for events that were taken and not acted on. A polled pool registers connections
//! one-shot even where there is one thread: a request in progress must not keep the instance readable.
//!
//! While it drains, the wake-up is silent, or it would keep the instance readable for the whole time.

use std::io;
use std::io::ErrorKind::{Interrupted, TimedOut};
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::accept_options::AcceptOptions;
use super::connection::Connection;
use super::drain::{Drain, Due, accept_announced};
use super::entry::Entry;
use super::event::{Event, taken};
use super::head::{AcceptedRequest, Turn};
use super::patience::{LONGEST_WAIT, MOST_ROUNDS, PAUSE};
use super::pool::Pool;
use super::turns::{State, Step};
use crate::os::error::{cancelled, no_epoll, would_block};
use crate::os::poll::{self, READABLE};
use crate::os::{clock, mark, shutdown};

/// Has the program poll a pool. Returns the descriptor to poll.
pub(super) fn begin(pool: &Pool) -> io::Result<RawFd> {
    // The program may have closed what was made in an earlier call.
    pool.mend()?;
    if let Entry::NoEpoll = pool.enter()? {
        return Err(no_epoll());
    }
    // Shutting down has restored the flag.
    mark::make_nonblocking(pool.listen_fd())?;
    pool.watcher().alarm().begin(pool.watcher().epoll()?)?;
    // From now on all connections are registered one-shot, and none stays unarmed.
    pool.look(|state| state.arm_all(pool.watcher()));
    pool.set_alarm();
    Ok(pool.descriptor())
}

/// Returns whether a call is over: its time, and what is still to do in the pool, within `left` rounds.
pub(super) fn is_over(pool: &Pool, options: &AcceptOptions, left: &mut u32) -> bool {
    if !options.is_over() {
        return false;
    }
    *left = left.saturating_sub(1);
    if !options.has_callers_limit() || !pool.is_entered() || !is_readable(pool) {
        return true;
    }
    if *left == 0 {
        // With edge-triggered polling, the program comes again after an event only.
        pool.watcher().set_off_again();
    }
    *left == 0
}

/// Returns whether a thread that does not wait finds something to do in a pool. Arms what is unarmed first:
/// the thread is not going to come by again.
fn is_readable(pool: &Pool) -> bool {
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
fn silence_wake_up(drain: &Drain, pool: &Pool) {
    // Threads that were cancelled are counted, too.
    if pool.has_sleepers() && drain.is_young() {
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
    let result = drain_some(drain, pool, last, options);
    if pool.look(|state| state.parking.is_empty()) {
        // From now on every call ends.
        pool.watcher().hear_wake_up();
    }
    result
}

fn drain_some(
    drain: &Drain,
    pool: &Arc<Pool>,
    mut last: Option<Connection>,
    options: &AcceptOptions,
) -> Turn {
    let mut left = MOST_ROUNDS;
    let end = loop {
        let due = drain.due(options);
        if due != Due::Ready || last.is_some() {
            let accepted = look_at_all(drain, pool, (due, last.take()), options);
            if accepted.is_some() {
                return Ok(accepted);
            }
        }
        if pool.look(|state| state.parking.is_empty()) {
            return Ok(None);
        }
        if options.is_cancelled() {
            return Err(cancelled());
        }
        let end = drain.end(options.config.drain).filter(|end| *end > clock::now());
        silence_wake_up(drain, pool);
        let event = next(pool, options, end);
        if matches!(event, Event::Nothing) {
            left = left.saturating_sub(1);
            if options.is_over() && (left == 0 || !is_readable(pool)) {
                break end;
            }
        }
        let accepted = follow(drain, pool, event, options);
        if accepted.is_some() {
            return Ok(accepted);
        }
    };
    end.into_iter().for_each(|end| pool.watcher().set_off_at(end));
    Err(would_block())
}

/// Does what an event of a drain asks for.
fn follow(
    drain: &Drain,
    pool: &Arc<Pool>,
    event: Event,
    options: &AcceptOptions,
) -> Option<AcceptedRequest> {
    match event {
        Event::Heard(taken_out) | Event::Late(taken_out) | Event::Surplus(taken_out) => {
            return drain.look_at(pool, taken_out, options);
        }
        // Another thread has registered it again, which did not know.
        Event::Listen => pool.watcher().stop_listening(),
        Event::Unasked | Event::Nothing => {}
    }
    None
}

/// Looks at all connections. In the first look also at one for which this thread was woken.
fn look_at_all(
    drain: &Drain,
    pool: &Arc<Pool>,
    (due, last): (Due, Option<Connection>),
    options: &AcceptOptions,
) -> Option<AcceptedRequest> {
    let mut new = None;
    if due == Due::First {
        pool.watcher().stop_listening();
        new = accept_announced(pool.listen_fd(), options);
    }
    let accepted = drain.look_at_all(pool, last, new, options);
    if accepted.is_none() {
        drain.note_look();
    }
    accepted
}

/// Waits for the connections of a drain until `end`, as long as the options allow. No thread that sleeps here
/// counts as a sleeper: it knows of the shutdown request.
fn next(pool: &Pool, options: &AcceptOptions, end: Option<Instant>) -> Event {
    let step = pool.look(|state| {
        // The listen socket is not watched again.
        state.is_rested();
        state.next_step()
    });
    let until = match step {
        Step::MakeRoom => return taken(pool.look(State::take_least_worth), Event::Surplus),
        Step::Expire => {
            return taken(pool.look(|state| state.take_expired(clock::now())), Event::Late);
        }
        Step::Follow(token) => return pool.look(|state| pool.event(token, state)),
        Step::Ask(until) => until,
    };
    let longest = options.longest_while_draining(LONGEST_WAIT);
    let options = options.until(until).until(end);
    match pool.watcher().wait(longest, &options, |token| pool.queue(token)) {
        Ok(Some(token)) => pool.look(|state| pool.event(token, state)),
        Ok(None) => Event::Nothing,
        Err(error) if matches!(error.kind(), Interrupted | TimedOut) => Event::Nothing,
        Err(_) => {
            // Whatever is wrong, the look at all connections at the end sees to them.
            let is_mended = pool.mend().unwrap_or(false);
            if is_mended { Event::Unasked } else { Event::Nothing }
        }
    }
}

/// Goes on after a drain: the library was initialised again.
pub(super) fn go_on(pool: &Pool) {
    if !shutdown::is_requested() {
        pool.watcher().hear_wake_up();
        let _ = pool.find_listen_socket();
        pool.set_alarm();
    }
}
