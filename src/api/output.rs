//! The response and the log: bytes are collected in records, and sent when these are full.

use std::io::{self, ErrorKind, Write};

use super::channel::Channel;
use crate::os::io::Then;
use crate::protocol::body::EndRequest;
use crate::protocol::record::RecordType;
use crate::protocol::writer::{copy, end_request};
use crate::serve::outbound::{ERROR_CONTENT, FIRST_CONTENT, Outbound, RecordStream, send_both};
use crate::serve::sink::Sink;

/// One output stream of a request.
#[derive(Debug)]
pub(super) struct Output {
    outbound: Outbound,
    stream: RecordStream,
    /// Content bytes in the open record.
    used: usize,
    /// Whether any content was written.
    is_written: bool,
    /// Whether sending has failed, so that nothing may follow.
    has_failed: bool,
}

impl Output {
    /// A stream without a request and without memory.
    pub(super) const fn new() -> Self {
        Self {
            outbound: Outbound::new(),
            stream: RecordStream { kind: RecordType::STDOUT, id: 0 },
            used: 0,
            is_written: false,
            has_failed: false,
        }
    }

    /// Makes it a stream of another request; keeps the memory.
    pub(super) fn begin(&mut self, kind: RecordType, id: u16) {
        self.outbound.reuse();
        self.stream = RecordStream { kind, id };
        (self.used, self.is_written, self.has_failed) = (0, false, false);
    }

    /// Drops what was not sent, and returns a large buffer to the spare ones.
    pub(super) fn release(&mut self) {
        self.outbound.release();
    }

    /// Whether sending has failed.
    pub(super) const fn has_failed(&self) -> bool {
        self.has_failed
    }

    fn is_log(&self) -> bool {
        self.stream.kind == RecordType::STDERR
    }

    fn first_content(&self) -> usize {
        if self.is_log() { ERROR_CONTENT } else { FIRST_CONTENT }
    }

    /// Writes all of `bytes`. Sends full records; a large content is sent without copying it.
    fn write(&mut self, channel: Channel<'_>, mut bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        while !bytes.is_empty() {
            if bytes.len() >= self.outbound.capacity().max(self.first_content()) {
                return self.send_directly(channel, bytes);
            }
            bytes = self.put(bytes);
            if bytes.is_empty() {
                break;
            }
            if self.outbound.has_room_behind(self.used) {
                self.seal();
            } else {
                self.flush(channel)?;
            }
        }
        Ok(())
    }

    fn check(&self) -> io::Result<()> {
        if self.has_failed { Err(ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }

    /// Copies into the open record what has room there. Returns the rest.
    fn put<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (start, end) = self.outbound.window();
        let room = self.outbound.memory().get_mut(start + self.used..end).unwrap_or_default();
        let now = room.len().min(bytes.len());
        let Some((head, rest)) = bytes.split_at_checked(now) else { return bytes };
        copy(room, head);
        self.used += now;
        rest
    }

    /// Seals the open record.
    fn seal(&mut self) {
        self.outbound.seal(self.stream, self.used);
        self.is_written |= self.used > 0;
        self.used = 0;
    }

    /// Runs `send`, and notes an error.
    fn send<T>(
        &mut self,
        channel: Channel<'_>,
        send: impl FnOnce(&mut Self, Sink<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        // If `send` does not return, a record may have been sent in part.
        self.has_failed = true;
        let result = channel.send(|sink| send(self, sink));
        self.has_failed = result.is_err();
        result
    }

    /// Sends what was written. Allocates the first buffer of a stream, and a larger one for a response that has
    /// filled it.
    fn flush(&mut self, channel: Channel<'_>) -> io::Result<()> {
        self.check()?;
        self.seal();
        let was_full = self.outbound.sealed().len() > self.outbound.capacity() / 2;
        if !self.outbound.sealed().is_empty() {
            self.send(channel, |output, sink| output.outbound.send(sink))?;
        }
        if self.outbound.capacity() == 0 {
            self.outbound.allocate(self.first_content())?;
        } else if was_full && !self.is_log() {
            self.outbound.enlarge();
        }
        Ok(())
    }

    /// Sends what was written, then `content`, in parts between which other threads may send.
    fn send_directly(&mut self, channel: Channel<'_>, mut content: &[u8]) -> io::Result<()> {
        self.seal();
        self.is_written = true;
        while !content.is_empty() {
            let stream = self.stream;
            let sent = self
                .send(channel, |output, sink| output.outbound.send_with(sink, stream, content))?;
            content = content.get(sent..).unwrap_or_default();
        }
        Ok(())
    }

    /// Seals what was written, and the end of the stream. An unused log has no end record.
    fn seal_end(&mut self) {
        self.seal();
        if self.is_written || !self.is_log() {
            self.outbound.end(self.stream);
        }
    }
}

/// Ends both streams of a request and sends END_REQUEST, in one piece. `then`: what the caller does with the
/// connection afterwards.
pub(super) fn end_both(
    (out, log): (&mut Output, &mut Output),
    channel: Channel<'_>,
    end: EndRequest,
    then: Then,
) -> io::Result<()> {
    out.check().and_then(|()| log.check())?;
    log.seal_end();
    out.seal_end();
    out.outbound.append(&end_request(out.stream.id, end));
    channel.send(|sink| send_both(sink, &mut log.outbound, &mut out.outbound, then))
}

/// The response of a request: what a [`Request`](crate::Request) writes, for a thread of its own or while the
/// body is read.
///
/// Bytes are collected and sent when 8 KB have come, 64 KB in a longer response, at a
/// [`flush`](Write::flush), and at the end of the request. A large piece is sent without copying it.
///
/// # Errors
///
/// Writing waits for a slow web server without a limit. It fails if the web server has closed the connection:
/// with the error of send(2), such as `BrokenPipe` or `ConnectionReset`, and with `BrokenPipe` in later calls.
#[derive(Debug)]
pub struct Out<'a>(pub(super) Channel<'a>, pub(super) &'a mut Output);

impl Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.write(self.0, bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.1.flush(self.0)
    }
}

/// The error stream of a request (STDERR), which web servers write to their logs.
///
/// Bytes are collected and sent when half a kilobyte has come, at a [`flush`](Write::flush), and at the end of
/// the request. Errors are those of [`Out`].
#[derive(Debug)]
pub struct Log<'a>(pub(super) Channel<'a>, pub(super) &'a mut Output);

impl Write for Log<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.write(self.0, bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.1.flush(self.0)
    }
}
