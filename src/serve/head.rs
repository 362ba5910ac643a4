//! Receiving the head of a request, without waiting or on one connection alone.

use std::io::{self, ErrorKind};
use std::time::Duration;

use super::accept_options::AcceptOptions;
use super::config::Config;
use super::connection::Connection;
use super::exchange::{HeadEvent, RequestStart};
use super::patience::MOST_RECEIVED;
use super::wait::{Stage, Wait};
use crate::os::clock;
use crate::os::descriptor::{is_open, shutdown_write};
use crate::os::error::{interrupted, not_open};
use crate::os::io::{recv_now, send_now};
use crate::os::poll::{self, PollFd, READABLE};
use crate::os::signal::{self, UNCHECKED};

/// A connection whose request head is complete.
pub type AcceptedRequest = (Connection, RequestStart);

/// What one turn of waiting comes to: a request, or none, and the caller looks again.
pub(super) type Turn = io::Result<Option<AcceptedRequest>>;

/// What a look at a connection gave.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    /// A request.
    Ready(RequestStart),
    /// Nothing new.
    Silent,
    /// Records that needed at most an answer; nothing of a request.
    Idle,
    /// A request that the program never sees was answered; the connection stays.
    Answered,
    /// No whole head yet.
    Partial,
    /// A request that was refused; the connection ends once the peer has read that.
    Refused,
    /// The connection is of no use any more.
    Over,
}

impl Outcome {
    /// Whether the connection may yet have a request, and has none so far.
    pub(super) const fn lacks_head(self) -> bool {
        matches!(self, Self::Silent | Self::Idle | Self::Partial)
    }

    /// How a connection waits from now on that has waited as in `before`; `None` when it has a
    /// request, or is over.
    pub(super) fn next_wait(self, before: Wait, config: &Config) -> Option<Wait> {
        match self {
            Self::Silent => Some(before),
            Self::Answered => Some(Wait::IDLE),
            Self::Idle if before.stage.has_had_request() => Some(Wait::IDLE),
            // Its time goes on, whatever is said that is no request.
            Self::Idle => Some(before),
            Self::Partial => Some(match before.stage {
                // The time is that of the whole head.
                Stage::First | Stage::Next | Stage::Lingering => before,
                Stage::Silent => Wait::new(Stage::First, config.head_timeout),
                Stage::Idle => Wait::new(Stage::Next, config.head_timeout),
            }),
            Self::Refused => Some(Wait::new(Stage::Lingering, Some(config.close_timeout))),
            Self::Ready(_) | Self::Over => None,
        }
    }
}

/// Receives what is there, as far as others need not wait for it, and reads on in the head, without waiting.
pub(super) fn receive_head(connection: &mut Connection, options: &AcceptOptions) -> Outcome {
    let mut heard = 0;
    loop {
        if let Some(outcome) = step(connection, options) {
            return outcome;
        }
        if heard >= MOST_RECEIVED {
            return unfinished(connection, true);
        }
        let incoming = connection.exchange.incoming();
        let room = incoming.room().map_err(io::Error::from);
        match room.and_then(|room| recv_now(connection.fd, room)) {
            Ok(n) => {
                incoming.received(n);
                heard += n;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return unfinished(connection, heard > 0);
            }
            Err(_) => return Outcome::Over,
        }
    }
}

fn unfinished(connection: &mut Connection, heard: bool) -> Outcome {
    if connection.exchange.incoming().is_in_head() {
        Outcome::Partial
    } else if connection.exchange.is_to_stay() {
        Outcome::Answered
    } else if heard {
        Outcome::Idle
    } else {
        Outcome::Silent
    }
}

/// Reads on in the head; `None` when more has to be received.
fn step(connection: &mut Connection, options: &AcceptOptions) -> Option<Outcome> {
    loop {
        match connection.exchange.head(options.config.max_params) {
            HeadEvent::Ready(begin) => return Some(Outcome::Ready(begin)),
            HeadEvent::Broken => return Some(Outcome::Over),
            HeadEvent::Record { answer, close } => {
                let bytes = answer.as_bytes();
                // A peer that does not even take a short answer is not waited for.
                if !send_now(connection.fd, bytes).is_ok_and(|sent| sent == bytes.len()) {
                    return Some(Outcome::Over);
                }
                if close {
                    shutdown_write(connection.fd);
                    return Some(Outcome::Refused);
                }
            }
            HeadEvent::NeedMore => return None,
        }
    }
}

/// Throws away what a refused peer still sends, without waiting.
pub(super) fn linger(connection: &mut Connection) -> Outcome {
    let room = connection.exchange.incoming().room().map_err(io::Error::from);
    match room.and_then(|room| recv_now(connection.fd, room)) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Outcome::Silent,
        Ok(0) | Err(_) => Outcome::Over,
        Ok(_) => Outcome::Silent,
    }
}

/// Waits for a request on this connection and no other. `None` when it ends without one, or after
/// `patience`. When shutting down is asked for, it has the time that every open connection has.
// Seldom needed where it is called, and large.
#[inline(never)]
pub fn wait_alone(
    mut connection: Connection,
    mut wait: Wait,
    patience: Option<Duration>,
    options: &AcceptOptions,
) -> Turn {
    let mut end = patience.and_then(|patience| clock::now().checked_add(patience));
    let (mut is_last, mut is_checked) = (false, false);
    loop {
        if !is_last && signal::shutdown_requested() {
            is_last = true;
            end = clock::now().checked_add(options.config.drain);
        }
        let outcome = receive_head(&mut connection, options);
        if let Outcome::Ready(mut begin) = outcome {
            begin.keep &= !is_last;
            return Ok(Some((connection, begin)));
        }
        match outcome.next_wait(wait, options.config) {
            Some(next) if next.stage != Stage::Lingering => {
                if is_last && next.stage != wait.stage {
                    // A head has begun.
                    end = clock::now().checked_add(options.config.drain);
                }
                wait = next;
            }
            _ => break,
        }
        // It stays readable from then on.
        let wake_up = if is_last { -1 } else { signal::wake_up_descriptor().unwrap_or(-1) };
        let mut fds = [PollFd::new(connection.fd, READABLE), PollFd::new(wake_up, READABLE)];
        let deadline = wait.deadline.into_iter().chain(end).min();
        let left = deadline.map(|deadline| deadline.saturating_duration_since(clock::now()));
        let is_short = !is_last && !is_checked;
        let wait = if is_short { left.or(Some(UNCHECKED)).min(Some(UNCHECKED)) } else { left };
        match poll::poll(&mut fds, wait) {
            Ok(0) if wait != left => is_checked = signal::check_wake_up().is_ok(),
            Ok(0) => {
                connection.discard();
                return if is_last { Err(interrupted()) } else { Ok(None) };
            }
            Ok(_) if fds[1].revents != 0 && !signal::shutdown_requested() => {
                signal::ignore_wake_up();
                is_checked = false;
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                if !is_open(connection.fd) {
                    connection.release();
                    return Err(not_open());
                }
                if options.ends_by_signal() {
                    connection.close(false);
                    return Err(error);
                }
            }
            Err(_) => break,
        }
    }
    connection.close(false);
    Ok(None)
}
