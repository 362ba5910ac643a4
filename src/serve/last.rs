//! What a thread brings along that waits for a request.

use std::os::fd::RawFd;

use super::connection::Connection;
use super::key::Key;

/// The connection that a caller's last request came on.
#[derive(Debug)]
pub enum Last {
    /// It is closed, or there was none.
    None,
    /// The caller has it.
    Given(Connection),
    /// It waits in this place, with this descriptor; see [`take_back`](super::listener::Listener::take_back).
    Parked(Key, RawFd),
}
