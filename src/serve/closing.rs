//! Closing a listen socket that the library has opened or taken over for the program.

use std::os::fd::RawFd;

use super::registry;
use crate::os::descriptor::close;

/// Closes a listen socket and the parked connections that came through it. Requests in progress go on.
pub(crate) fn close_listen_socket(fd: RawFd) {
    if let Some(listener) = registry::existing(fd) {
        listener.leave();
        listener.pool().close_all();
    }
    close(fd);
}
