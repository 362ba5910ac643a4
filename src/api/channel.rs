//! The sending side of a request's connection.

use std::io;
use std::os::fd::RawFd;

use crate::os::descriptor::shutdown_write;
use crate::serve::sending::Sending;
use crate::serve::sink::Sink;

/// A connection that several threads of one request may send on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Channel<'a> {
    /// The connection's descriptor.
    pub(super) fd: RawFd,
    /// What serialises the threads.
    pub(super) sending: &'a Sending,
}

impl Channel<'_> {
    /// Runs `send`, which sends whole records, while no other thread sends. After an error a record may have
    /// been sent in part: nothing can follow it, and the peer sees the end of the connection.
    pub(super) fn send<T>(self, send: impl FnOnce(Sink<'_>) -> io::Result<T>) -> io::Result<T> {
        let result = self.sending.exclusively(self.fd, send);
        if result.is_err() {
            shutdown_write(self.fd);
        }
        result
    }
}
