//! Whether the web server still wants the response of a request.

use std::ffi::c_int;
use std::io::ErrorKind;
use std::time::Duration;

use super::block::{block_of, connection};
use super::layout::FCGX_Request;
use super::reader;
use super::stream::Stream;
use crate::os::io::recv_now;
use crate::os::poll::{self, HUNG_UP};
use crate::serve::Connection;

/// The unread bytes of a request from which on no more are received to look for an abort.
const MOST_UNREAD: usize = 4096;

/// Returns whether the web server has aborted the request or closed the connection, as far as that is
/// known. Never waits, and reads nothing of the body. `None` without a request in progress.
///
/// # Safety
///
/// `request` points to a request that was initialised, and nothing else reads its body meanwhile.
pub(super) unsafe fn is_gone(request: *mut FCGX_Request) -> Option<bool> {
    // SAFETY: the caller passes an initialised request; with streams, it has a live block, whose
    // connection nothing else uses now.
    unsafe {
        let body = Stream::new((*request).r#in)?;
        let connection = connection(block_of(request))?;
        Some(is_aborted(connection, body) || has_hung_up((*request).ipcFd))
    }
}

/// Looks for an abort in what has arrived, as long as the received bytes may be moved: none of them are
/// in the stream's buffer.
fn is_aborted(connection: &mut Connection, body: Stream) -> bool {
    if body.readable() == 0 {
        receive(connection);
        reader::start(body, connection);
    }
    connection.exchange.is_gone() || connection.exchange.incoming().has_abort()
}

/// Receives once, without waiting, if few bytes are unread.
fn receive(connection: &mut Connection) {
    let fd = connection.fd;
    let incoming = connection.exchange.incoming();
    if incoming.inbound().unread().len() >= MOST_UNREAD || !incoming.is_sound() {
        return;
    }
    let Ok(room) = incoming.room() else { return };
    match recv_now(fd, room) {
        Ok(n) => incoming.received(n),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        Err(_) => incoming.received(0),
    }
}

/// Returns whether the connection is closed, or its peer will send nothing more.
fn has_hung_up(fd: c_int) -> bool {
    poll::one(fd, HUNG_UP, Some(Duration::ZERO)).is_ok_and(|events| events != 0)
}
