//! Listen sockets and connections.

use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use super::files::{FileId, Kind};
use super::tasks::TaskId;
use super::{Kernel, error};
use crate::os::socket::Peer;

/// The number of bytes that one end can hold before they are received.
const ROOM: usize = 200_000;

pub struct Listen {
    pub backlog: VecDeque<FileId>,
    pub peer: Peer,
}

/// One end of a connection.
pub struct Stream {
    pub inbox: VecDeque<u8>,
    pub other: FileId,
    /// Whether nothing follows what is in the inbox.
    pub has_end: bool,
    /// Whether the other end was closed with unread bytes.
    pub is_reset: bool,
    /// Whether nothing more can be sent.
    pub is_shut: bool,
    /// The state of a program's end, for the checks.
    pub life: Life,
}

/// The state of a connection in a process of the program.
#[derive(Clone, Copy, Default)]
pub struct Life {
    pub accepted_at: Option<Duration>,
    /// Whether the program has had a request on it.
    pub had_request: bool,
    /// Whether the program has a request on it now.
    pub in_program: bool,
}

impl Life {
    /// Returns whether it was accepted and the program has no request on it.
    pub fn is_free(self) -> bool {
        self.accepted_at.is_some() && !self.in_program
    }
}

impl Stream {
    fn new(other: FileId) -> Self {
        Self {
            inbox: VecDeque::new(),
            other,
            has_end: false,
            is_reset: false,
            is_shut: false,
            life: Life::default(),
        }
    }

    pub fn is_readable(&self) -> bool {
        !self.inbox.is_empty() || self.has_end || self.is_reset
    }
}

impl Kernel {
    pub fn stream(&mut self, file: FileId) -> io::Result<&mut Stream> {
        match &mut self.files[file].kind {
            Kind::Stream(stream) => Ok(stream),
            _ => Err(error(libc::ENOTSOCK)),
        }
    }

    fn stream_of(&mut self, task: TaskId, fd: RawFd) -> io::Result<&mut Stream> {
        let file = self.file_of(task, fd)?;
        self.stream(file)
    }

    /// Returns the two ends of a new connection, without descriptors.
    pub fn new_connection(&mut self) -> [FileId; 2] {
        let first = self.files.len();
        let second = self.new_file(Kind::Stream(Stream::new(first + 1))) + 1;
        [first, self.new_file(Kind::Stream(Stream::new(second - 1)))]
    }

    /// Connects to a listen socket.
    pub fn connect(&mut self, task: TaskId, listen: FileId) -> io::Result<RawFd> {
        if !matches!(self.files[listen].kind, Kind::Listen(_)) {
            return Err(error(libc::ECONNREFUSED));
        }
        let [server, client] = self.new_connection();
        // The backlog counts as the new end's descriptor.
        self.files[server].descriptors = 1;
        let fd = self.install(task, client)?;
        if let Kind::Listen(listen) = &mut self.files[listen].kind {
            listen.backlog.push_back(server);
        }
        self.notify(listen);
        Ok(fd)
    }

    pub fn receive(&mut self, task: TaskId, fd: RawFd, buffer: &mut [u8]) -> io::Result<usize> {
        let stream = self.stream_of(task, fd)?;
        let count = stream.inbox.len().min(buffer.len());
        if count == 0 {
            return match (stream.is_reset, stream.has_end) {
                (true, _) => Err(error(libc::ECONNRESET)),
                (false, true) => Ok(0),
                (false, false) => Err(error(libc::EAGAIN)),
            };
        }
        for (place, byte) in buffer.iter_mut().zip(stream.inbox.drain(..count)) {
            *place = byte;
        }
        let other = stream.other;
        self.count_unasked(task);
        self.notify(other);
        Ok(count)
    }

    /// Returns whether nothing more comes and nothing can be sent.
    pub fn has_hung_up(&self, file: FileId) -> bool {
        let Kind::Stream(stream) = &self.files[file].kind else { return false };
        stream.is_reset || stream.has_end && stream.is_shut
    }

    pub fn can_send(&self, file: FileId) -> bool {
        let Kind::Stream(stream) = &self.files[file].kind else { return false };
        match &self.files[stream.other].kind {
            Kind::Stream(other) => other.inbox.len() < ROOM,
            _ => true,
        }
    }

    pub fn send(&mut self, task: TaskId, fd: RawFd, bytes: &[u8]) -> io::Result<usize> {
        let stream = self.stream_of(task, fd)?;
        let other = stream.other;
        if stream.is_shut {
            return Err(error(libc::EPIPE));
        }
        let Kind::Stream(stream) = &mut self.files[other].kind else {
            return Err(error(libc::EPIPE));
        };
        let count = bytes.len().min(ROOM.saturating_sub(stream.inbox.len()));
        if count == 0 && !bytes.is_empty() {
            return Err(error(libc::EAGAIN));
        }
        stream.inbox.extend(&bytes[..count]);
        self.notify(other);
        Ok(count)
    }

    pub fn shut_down_writing(&mut self, task: TaskId, fd: RawFd) {
        let Ok(stream) = self.stream_of(task, fd) else { return };
        stream.is_shut = true;
        let other = stream.other;
        if let Ok(stream) = self.stream(other) {
            stream.has_end = true;
        }
        self.notify(other);
    }

    /// Ends a stream without descriptors. If it has unread bytes, the other end loses what it has not
    /// received yet, as with TCP.
    pub fn end_stream(&mut self, stream: Stream) {
        let other = stream.other;
        if let Ok(peer) = self.stream(other) {
            peer.has_end = true;
            peer.is_shut = true;
            if !stream.inbox.is_empty() {
                peer.is_reset = true;
                peer.inbox.clear();
            }
        }
        self.notify(other);
    }
}
