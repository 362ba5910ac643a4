//! The body of a request: decoded in the buffer that it was received into.

use std::io::{self, BufRead, ErrorKind, IoSliceMut, Read};
use std::ops::Range;

use super::channel::Channel;
use crate::os::io::{recv, recv_now, recv_parts};
use crate::protocol::writer::copy;
use crate::serve::incoming::Fault;
use crate::serve::{BodyEvent, Connection};

/// The least number of bytes for which reading straight into the caller's memory is worth it.
const DIRECT: usize = 4096;

/// The most bytes that are received ahead of the program, to look for an abort.
const AHEAD: usize = 16 * 1024;

/// How far the program has read the body.
#[derive(Debug)]
pub(super) struct Input {
    /// Content to read, at these offsets of the exchange's memory.
    ready: Range<usize>,
    /// Why no more can be read. The error stays, so that half a body never looks like a whole one.
    fault: Option<ErrorKind>,
}

impl Input {
    /// The beginning of a body.
    pub(super) const fn new() -> Self {
        Self { ready: 0..0, fault: None }
    }

    fn fail(&mut self, kind: ErrorKind) -> io::Error {
        self.fault = Some(kind);
        kind.into()
    }

    /// Waits for content, unless there is some. At the end of the stream there is none afterwards.
    fn fill(&mut self, connection: &mut Connection, channel: Channel<'_>) -> io::Result<()> {
        if !self.ready.is_empty() {
            return Ok(());
        }
        if let Some(kind) = self.fault {
            return Err(kind.into());
        }
        loop {
            match connection.exchange.body_event() {
                BodyEvent::Content(range) => {
                    self.ready = range;
                    return Ok(());
                }
                BodyEvent::End => return Ok(()),
                BodyEvent::NeedMore => self.receive(connection, channel)?,
                BodyEvent::Answer(answer) => {
                    if channel.sending.answer(channel.fd, &answer).is_err() {
                        connection.exchange.incoming().break_off(Fault::Protocol);
                    }
                }
                BodyEvent::Fault(fault) => {
                    let is_cut_off = connection.exchange.incoming().is_cut_off();
                    return Err(self.fail(match fault {
                        Fault::Gone if is_cut_off => ErrorKind::UnexpectedEof,
                        Fault::Gone => ErrorKind::ConnectionAborted,
                        Fault::Protocol | Fault::Version => ErrorKind::InvalidData,
                    }));
                }
            }
        }
    }

    /// Receives once. After an error the connection cannot be used again.
    fn receive(&mut self, connection: &mut Connection, channel: Channel<'_>) -> io::Result<()> {
        let room = connection.exchange.incoming().room().map_err(io::Error::from);
        let result = room.and_then(|room| {
            channel.sending.look_after_answers(channel.fd)?;
            recv(channel.fd, room)
        });
        self.received(connection, result).map(|n| connection.exchange.incoming().received(n))
    }

    /// Returns the number of bytes received; notes an error or the end of the connection.
    fn received(
        &mut self,
        connection: &mut Connection,
        result: io::Result<usize>,
    ) -> io::Result<usize> {
        let error = match result {
            Ok(n @ 1..) => return Ok(n),
            Ok(0) => ErrorKind::UnexpectedEof.into(),
            Err(error) => error,
        };
        connection.exchange.incoming().break_off(Fault::Gone);
        self.fault = Some(error.kind());
        Err(error)
    }

    /// Receives content straight into `to`. Returns how many bytes; `None` if that is not possible or copying
    /// is cheaper.
    fn read_directly(
        &mut self,
        connection: &mut Connection,
        channel: Channel<'_>,
        to: &mut [u8],
    ) -> Option<io::Result<usize>> {
        let n = to.len().min(connection.exchange.incoming().direct());
        if n < DIRECT || self.fault.is_some() {
            return None;
        }
        let memory = to.get_mut(..n)?;
        // If out of memory for what follows the content, the caller's memory is filled all the same.
        let room = connection.exchange.incoming().room().unwrap_or_default();
        let looked = channel.sending.look_after_answers(channel.fd);
        let mut parts = [IoSliceMut::new(memory), IoSliceMut::new(room)];
        let result = looked.and_then(|()| recv_parts(channel.fd, &mut parts));
        Some(self.received(connection, result).map(|got| {
            let direct = got.min(n);
            connection.exchange.incoming().received_directly(direct, got - direct);
            direct
        }))
    }

    /// Returns whether an abort has arrived. Does not wait, and leaves the body to be read.
    pub(super) fn finds_abort(
        &mut self,
        connection: &mut Connection,
        channel: Channel<'_>,
    ) -> bool {
        let incoming = connection.exchange.incoming();
        // Receiving would move what is ready.
        if self.ready.is_empty() && incoming.is_sound() && incoming.inbound().unread().len() < AHEAD
        {
            let got = incoming.room().map(|room| recv_now(channel.fd, room));
            // The end of the connection is found again by the next read.
            if let Ok(Ok(got @ 1..)) = got {
                incoming.received(got);
            }
        }
        incoming.has_abort() || connection.exchange.is_gone()
    }
}

/// The body of a request: its STDIN stream, which ends with the number of bytes that `CONTENT_LENGTH` says; for
/// a [Filter](crate::Role::Filter), then its DATA stream. That of an [Authorizer](crate::Role::Authorizer) is
/// empty.
///
/// Reading waits for the web server without a limit.
///
/// # Errors
///
/// * `ConnectionAborted`: the web server has given the request up. The program should end it: an answer is
///   not expected, but allowed.
/// * `UnexpectedEof`: the web server has closed the connection within the body.
/// * `InvalidData`: the web server has broken the protocol.
/// * Otherwise as recv(2).
///
/// Later calls fail again, so that a part of a body never looks like the whole.
#[derive(Debug)]
pub struct Body<'a> {
    pub(super) connection: Option<&'a mut Connection>,
    pub(super) channel: Channel<'a>,
    pub(super) input: &'a mut Input,
}

impl Body<'_> {
    /// Moves from the end of a Filter's STDIN on to its file, the DATA stream. Returns false, and does nothing,
    /// before that end is read and for any other role.
    pub fn start_data(&mut self) -> bool {
        self.connection.as_mut().is_some_and(|connection| connection.exchange.start_data())
    }
}

impl Read for Body<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if let (Some(connection), true) = (self.connection.as_mut(), self.input.ready.is_empty()) {
            if let Some(result) = self.input.read_directly(connection, self.channel, to) {
                return result;
            }
        }
        if to.is_empty() {
            return Ok(0);
        }
        let content = self.fill_buf()?;
        let n = content.len().min(to.len());
        copy(to, content.get(..n).unwrap_or_default());
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Body<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let Some(connection) = self.connection.as_mut() else { return Ok(&[]) };
        self.input.fill(connection, self.channel)?;
        let (memory, _) = connection.exchange.memory();
        Ok(memory.get(self.input.ready.clone()).unwrap_or_default())
    }

    fn consume(&mut self, n: usize) {
        self.input.ready.start = self.input.ready.end.min(self.input.ready.start.saturating_add(n));
    }
}
