//! Waiting a moment for the next request on the connection that a thread has just answered: see
//! [`Holding`](super::holding::Holding).

use std::io;
use std::io::ErrorKind::Interrupted;
use std::os::fd::RawFd;

use super::accept_options::AcceptOptions;
use super::event::Event;
use super::holding::{Found, Hold};
use super::key::Key;
use super::patience::HOLD;
use super::pool::Pool;
use crate::os::poll::{self, PollFd, READABLE};
use crate::os::shutdown;

/// Waits for a connection that was parked unarmed. If it does not become readable, arms it and returns no
/// event: the thread then waits for all connections. Fails with `Interrupted` after a signal.
pub(super) fn hold(pool: &Pool, key: Key, fd: RawFd, options: &AcceptOptions) -> io::Result<Event> {
    let Some(hold) = pool.begin_hold(key, fd) else { return Ok(Event::Nothing) };
    let watched = if hold == Hold::AndWatch { pool.descriptor() } else { -1 };
    let mut fds = [PollFd::new(fd, READABLE), PollFd::new(watched, READABLE)];
    let asked = if watched < 0 { &mut fds[..1] } else { &mut fds[..] };
    let result = poll::poll(asked, Some(options.wait(HOLD)));
    let [is_ready, is_pool_ready] = fds.map(|fd| fd.revents != 0);
    // A descriptor that the program has closed is left alone: its number may be reused at any moment.
    let is_readable = is_ready && fds[0].is_open() && !shutdown::is_requested();
    let found = match (is_readable, is_pool_ready) {
        (false, _) => Found::Nothing,
        (true, false) => Found::Request,
        (true, true) => Found::Crowd,
    };
    let event = pool.end_hold((key, fd), hold, found, options.config.max_waiting);
    match result {
        Err(error) if error.kind() == Interrupted => Err(error),
        // Other errors are ignored: a sandbox may refuse poll.
        _ => Ok(event),
    }
}
