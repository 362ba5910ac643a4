//! Waiting for the connection that a thread has just answered, for a moment: see
//! [`Holding`](super::holding::Holding).

use std::io;
use std::io::ErrorKind::Interrupted;
use std::os::fd::RawFd;

use super::accept_options::AcceptOptions;
use super::event::Event;
use super::holding::Hold;
use super::key::Key;
use super::patience::HOLD;
use super::pool::Pool;
use crate::os::poll::{self, PollFd, READABLE};
use crate::os::signal;

/// Waits for a connection that was left in its place unarmed. Unless something comes on it there is no
/// event, and it is armed: the thread is to wait for all. `Interrupted` after a signal.
pub(super) fn hold(pool: &Pool, key: Key, fd: RawFd, options: &AcceptOptions) -> io::Result<Event> {
    let Some(hold) = pool.begin_hold(key, fd) else { return Ok(Event::Nothing) };
    let watched = if hold == Hold::AndWatch { pool.descriptor() } else { -1 };
    let mut fds = [PollFd::new(fd, READABLE), PollFd::new(watched, READABLE)];
    let asked = if watched < 0 { &mut fds[..1] } else { &mut fds[..] };
    let result = poll::poll(asked, Some(options.wait(HOLD)));
    let [own, others] = fds.map(|fd| fd.revents != 0);
    // What the program has closed is looked at no more: its number may be another's at any moment.
    let is_heard = own && fds[0].is_open() && !signal::shutdown_requested();
    let event = pool.end_hold((key, fd), hold, is_heard, others, options.config.max_waiting);
    match result {
        Err(error) if error.kind() == Interrupted => Err(error),
        // A sandbox may refuse to poll.
        _ => Ok(event),
    }
}
