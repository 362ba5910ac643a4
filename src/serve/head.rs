//! Receiving the head of a request, without waiting or on one connection alone.

use std::io::{self, ErrorKind};
use std::time::Instant;

use super::connected::{Connected, recycle};
use super::listener::{Arrival, Terms};
use super::session::{Begin, Head};
use crate::os::error::{interrupted, not_open};
use crate::os::io::{is_open, recv_now, send_now, shutdown_write};
use crate::os::poll::{self, PollFd, READABLE};
use crate::os::signal;

/// What a look at a connection gave.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    /// A request.
    Ready(Begin),
    /// Nothing new.
    Silent,
    /// Something, but no whole head.
    Partial,
    /// A request that was refused; the connection ends once the peer has read that.
    Refused,
    /// The connection is of no use any more.
    Over,
}

/// Receives what is there and reads on in the head, without waiting.
pub(super) fn receive_head(connected: &mut Connected, terms: &Terms) -> Outcome {
    let mut heard = false;
    loop {
        match read_head(connected, terms) {
            Outcome::Silent => {}
            outcome => return outcome,
        }
        let connection = connected.session.connection();
        match recv_now(connected.fd, connection.room()) {
            Ok(n) => connection.received(n),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return if heard { Outcome::Partial } else { Outcome::Silent };
            }
            Err(_) => return Outcome::Over,
        }
        heard = true;
    }
}

/// Reads on in the head with what was received before.
pub(super) fn read_head(connected: &mut Connected, terms: &Terms) -> Outcome {
    loop {
        match connected.session.head(terms.config.max_params) {
            Head::Ready(begin) => return Outcome::Ready(begin),
            Head::Broken => return Outcome::Over,
            Head::Answer { answer, close } => {
                let bytes = answer.as_bytes();
                // A peer that does not even take a short answer is not waited for.
                if !send_now(connected.fd, bytes).is_ok_and(|sent| sent == bytes.len()) {
                    return Outcome::Over;
                }
                if close {
                    shutdown_write(connected.fd);
                    return Outcome::Refused;
                }
            }
            Head::NeedMore => return Outcome::Silent,
        }
    }
}

/// Throws away what a refused peer still sends, without waiting.
pub(super) fn linger(connected: &mut Connected) -> Outcome {
    match recv_now(connected.fd, connected.session.connection().room()) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Outcome::Silent,
        Ok(0) | Err(_) => Outcome::Over,
        Ok(_) => Outcome::Silent,
    }
}

/// Waits for a request on this connection and no other. `None` when it ends without one.
pub fn wait_alone(
    mut connected: Connected,
    deadline: Option<Instant>,
    terms: &Terms,
) -> io::Result<Option<Arrival>> {
    loop {
        match receive_head(&mut connected, terms) {
            Outcome::Ready(begin) => return Ok(Some((connected, begin))),
            Outcome::Refused | Outcome::Over => break,
            Outcome::Silent | Outcome::Partial => {}
        }
        if signal::shutdown_requested() {
            connected.close(false);
            return Err(interrupted());
        }
        let wake_up = signal::wake_up_descriptor().unwrap_or(-1);
        let mut fds = [PollFd::new(connected.fd, READABLE), PollFd::new(wake_up, READABLE)];
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        match poll::poll(&mut fds, left) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                if !is_open(connected.fd) {
                    recycle(connected.session);
                    return Err(not_open());
                }
                if terms.fail_on_intr && !signal::shutdown_requested() {
                    connected.close(false);
                    return Err(error);
                }
            }
            Err(_) => break,
        }
    }
    connected.close(false);
    Ok(None)
}
