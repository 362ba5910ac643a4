//! Receives the head of a request: without waiting, or waiting on one connection alone.

use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use super::accept_options::{AcceptOptions, pause_for_call};
use super::config::Config;
use super::connection::Connection;
use super::exchange::{HeadEvent, RequestStart};
use super::patience::{LONGEST_GRACE, MOST_RECEIVED};
use super::wait::{Stage, Wait};
use crate::os::clock;
use crate::os::descriptor::{is_open, shutdown_write};
use crate::os::error::{cancelled, interrupted, not_open};
use crate::os::io::{Then, recv_now, send_now};
use crate::os::poll::{self, PollFd, READABLE};
use crate::os::shutdown::{self, MAX_UNCHECKED_WAIT};

/// A connection whose request head is complete.
pub(crate) type AcceptedRequest = (Connection, RequestStart);

/// The result of one turn of waiting: a request, or `None` if the caller is to look again.
pub(super) type Turn = io::Result<Option<AcceptedRequest>>;

/// How far the head of a request has come, after one look at its connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum HeadProgress {
    /// The head is complete.
    Ready(RequestStart),
    /// No bytes have arrived.
    Silent,
    /// Only management records have arrived, which were answered.
    Idle,
    /// A request that the program never sees was answered; the connection stays open.
    Answered,
    /// Part of the head has arrived.
    Partial,
    /// The request was refused; the connection ends once the peer has read the refusal.
    Refused,
    /// The connection cannot be used any more.
    Over,
}

impl HeadProgress {
    /// Whether a request may still arrive, and is not complete.
    pub(super) const fn lacks_head(self) -> bool {
        matches!(self, Self::Silent | Self::Idle | Self::Partial)
    }

    /// Returns the wait that follows `before`; `None` if there is a request, or the connection is over.
    pub(super) fn next_wait(self, before: Wait, config: &Config) -> Option<Wait> {
        match self {
            Self::Silent => Some(before),
            Self::Answered => Some(Wait::IDLE),
            Self::Idle if before.stage.has_had_request() => Some(Wait::IDLE),
            // Management records do not extend the deadline.
            Self::Idle => Some(before),
            Self::Partial => Some(match before.stage {
                // The timeout is for the whole head.
                Stage::First | Stage::Next | Stage::Lingering => before,
                Stage::Silent => Wait::new(Stage::First, config.head_timeout),
                Stage::Idle => Wait::new(Stage::Next, config.head_timeout),
            }),
            Self::Refused => Some(Wait::new(Stage::Lingering, Some(config.close_timeout))),
            Self::Ready(_) | Self::Over => None,
        }
    }
}

/// Receives and decodes what has arrived, without waiting. Stops after `MOST_RECEIVED` bytes, so that one
/// connection does not hold up the others.
pub(super) fn receive_head(connection: &mut Connection, options: &AcceptOptions) -> HeadProgress {
    let mut received = 0;
    loop {
        if let Some(progress) = decode_head(connection, options) {
            return progress;
        }
        if received >= MOST_RECEIVED {
            return unfinished(connection, received);
        }
        let incoming = connection.exchange.incoming();
        let room = incoming.room().map_err(io::Error::from);
        match room.and_then(|room| recv_now(connection.fd, room)) {
            Ok(n) => {
                incoming.received(n);
                received += n;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return unfinished(connection, received);
            }
            Err(_) => return HeadProgress::Over,
        }
    }
}

/// Returns the progress of a head that is not complete, after `received` more bytes.
fn unfinished(connection: &mut Connection, received: usize) -> HeadProgress {
    if connection.exchange.incoming().is_in_head() {
        HeadProgress::Partial
    } else if connection.exchange.is_to_stay() {
        HeadProgress::Answered
    } else if received > 0 {
        HeadProgress::Idle
    } else {
        HeadProgress::Silent
    }
}

/// Decodes the bytes received, and answers what the program never sees. `None` if more have to be received.
fn decode_head(connection: &mut Connection, options: &AcceptOptions) -> Option<HeadProgress> {
    loop {
        match connection.exchange.head_event(options.config.max_params) {
            HeadEvent::Ready(start) => return Some(HeadProgress::Ready(start)),
            HeadEvent::Broken => return Some(HeadProgress::Over),
            HeadEvent::Answer { record, then } => {
                let bytes = record.as_bytes();
                // Does not wait for a peer that has no room even for a short answer.
                if !send_now(connection.fd, bytes).is_ok_and(|sent| sent == bytes.len()) {
                    return Some(HeadProgress::Over);
                }
                if then == Then::ShutDown {
                    shutdown_write(connection.fd);
                    return Some(HeadProgress::Refused);
                }
            }
            HeadEvent::NeedMore => return None,
        }
    }
}

/// Discards what a refused peer still sends, without waiting.
pub(super) fn linger(connection: &mut Connection) -> HeadProgress {
    let room = connection.exchange.incoming().room().map_err(io::Error::from);
    match room.and_then(|room| recv_now(connection.fd, room)) {
        Ok(1..) => HeadProgress::Silent,
        Err(error) if error.kind() == ErrorKind::WouldBlock => HeadProgress::Silent,
        Ok(0) | Err(_) => HeadProgress::Over,
    }
}

/// Waits for a request on this connection only. Returns `None` if the connection ends without one, or after
/// `timeout`. Once shutdown is requested, waits as long as for any open connection.
// Rarely needed by its callers, and large.
#[inline(never)]
pub(crate) fn wait_alone(
    mut connection: Connection,
    wait: Wait,
    timeout: Option<Duration>,
    options: &AcceptOptions,
) -> Turn {
    let mut lone = LoneWait::new(wait, timeout, options);
    loop {
        lone.note_shutdown();
        let progress = receive_head(&mut connection, options);
        if let HeadProgress::Ready(mut start) = progress {
            start.keep &= !lone.is_draining;
            return Ok(Some((connection, start)));
        }
        match progress.next_wait(lone.wait, options.config) {
            Some(next) if next.stage != Stage::Lingering => lone.go_on(next),
            _ => break,
        }
        match lone.poll(connection.fd, options) {
            Ok(Woken::ToLook) => {}
            Ok(Woken::Over(result)) => {
                connection.discard();
                return result;
            }
            Err(error) if error.kind() != ErrorKind::Interrupted => break,
            Err(_) if !is_open(connection.fd) => {
                connection.release();
                return Err(not_open());
            }
            Err(error) if options.ends_by_signal() => {
                connection.close();
                return Err(error);
            }
            Err(_) => {}
        }
    }
    connection.close();
    Ok(None)
}

/// Why [`LoneWait::poll`] returns.
#[derive(Debug)]
enum Woken {
    /// There may be something to do.
    ToLook,
    /// The deadline has passed, or the call was cancelled: this is its result.
    Over(Turn),
}

/// How [`wait_alone`] waits, and until when.
struct LoneWait {
    wait: Wait,
    /// The end by the caller's timeout, or of the drain.
    end: Option<Instant>,
    drain: Duration,
    /// Whether shutdown is requested.
    is_draining: bool,
    /// Whether the wake-up descriptor is known to be the library's; if not, a wait is short.
    is_checked: bool,
}

impl LoneWait {
    fn new(wait: Wait, timeout: Option<Duration>, options: &AcceptOptions) -> Self {
        let now = clock::now();
        let end = timeout.and_then(|timeout| now.checked_add(timeout));
        // A head may be on its way on a new connection, which would be lost.
        let grace =
            if wait.stage.has_had_request() { None } else { now.checked_add(LONGEST_GRACE) };
        let limit = options.until.filter(|_| options.has_callers_limit());
        let limit = limit.map(|limit| grace.map_or(limit, |grace| limit.max(grace)));
        let end = end.into_iter().chain(limit).min();
        let drain = options.config.drain;
        Self { wait, end, drain, is_draining: false, is_checked: false }
    }

    /// Begins to drain once shutdown is requested.
    fn note_shutdown(&mut self) {
        if !self.is_draining && shutdown::is_requested() {
            self.is_draining = true;
            self.end = clock::now().checked_add(self.drain);
        }
    }

    /// Goes on with the `next` wait. A head that begins while draining has the whole drain time.
    fn go_on(&mut self, next: Wait) {
        if self.is_draining && next.stage != self.wait.stage {
            self.end = clock::now().checked_add(self.drain);
        }
        self.wait = next;
    }

    /// Waits until the connection is readable, the deadline has passed or shutdown is requested.
    fn poll(&mut self, fd: RawFd, options: &AcceptOptions) -> io::Result<Woken> {
        if options.is_cancelled() {
            return Ok(Woken::Over(Err(cancelled())));
        }
        // Once shutdown is requested, the wake-up descriptor stays readable.
        let wake_up =
            if self.is_draining { -1 } else { shutdown::wake_up_descriptor().unwrap_or(-1) };
        let mut fds = [PollFd::new(fd, READABLE), PollFd::new(wake_up, READABLE)];
        let deadline = self.wait.deadline.into_iter().chain(self.end).min();
        let left = deadline.map(|deadline| deadline.saturating_duration_since(clock::now()));
        let is_short = !self.is_draining && !self.is_checked;
        let longest = match is_short {
            true => MAX_UNCHECKED_WAIT,
            false if self.is_draining => options.longest_while_draining(Duration::MAX),
            false => Duration::MAX,
        };
        let timeout = left.map_or(longest, |left| left.min(longest));
        let timeout = Some(timeout).filter(|timeout| *timeout < Duration::MAX);
        match poll::poll(&mut fds, timeout)? {
            0 if timeout == left => {
                let is_draining = self.is_draining;
                return Ok(Woken::Over(if is_draining { Err(interrupted()) } else { Ok(None) }));
            }
            0 => self.is_checked = shutdown::check_wake_up().is_ok(),
            _ if fds[1].revents != 0 && !shutdown::is_requested() => {
                shutdown::ignore_wake_up();
                self.is_checked = false;
                if shutdown::is_calling() && !options.is_cancelled() {
                    pause_for_call(options);
                }
            }
            _ => {}
        }
        Ok(Woken::ToLook)
    }
}
