//! Carries one request: standard input to the application, its output to standard output and error.
//!
//! One poll waits for all descriptors, with two buffers of the size of one record. No descriptor is waited
//! for alone: an application may answer before it has read the body, or without reading it.

use std::io::ErrorKind;
use std::os::fd::RawFd;

use fcgi::internals::os::io as descriptor;
use fcgi::internals::os::poll::{PollFd, READABLE, WRITABLE, poll};
use fcgi::internals::protocol::record::MAX_CONTENT;
use fcgi::internals::protocol::{EndRequest, HEADER_LEN, ProtocolStatus};

use super::environment::Variable;
use super::failure::{Failure, PROTOCOL_STATUS, VERSION_STATUS};
use super::reply::{Breach, Output, ReplyEvent, ReplyReader};
use super::request::Request;

/// Standard input. It is never made non-blocking: all processes that share it would see the flag.
const STDIN: RawFd = 0;
const STDOUT: RawFd = 1;
const STDERR: RawFd = 2;

/// The most bytes in one write: a pipe that is ready takes this many without blocking (PIPE_BUF).
const MOST_WRITTEN: usize = 4096;

/// An entry for [`poll`] that waits for nothing. With a descriptor in it, poll would report a hang-up again
/// and again.
const NOTHING: PollFd = PollFd::new(-1, 0);

/// A request that is being sent, and its reply.
pub(crate) struct Bridge<I> {
    connection: RawFd,
    request: Request<I>,
    reply: ReplyReader,
    received: Received,
}

impl<I: Iterator<Item = Variable>> Bridge<I> {
    /// A bridge over `connection`, which the caller owns.
    pub(crate) fn new(connection: RawFd, request: Request<I>) -> Self {
        Self { connection, request, reply: ReplyReader::new(), received: Received::new() }
    }

    /// Carries the request to its end. Returns the application's exit status.
    pub(crate) fn run(mut self) -> Result<u32, Failure> {
        loop {
            match self.next_event() {
                ReplyEvent::End(end) => return application_status(end),
                ReplyEvent::Broken(breach) => return Err(broken(breach)),
                ReplyEvent::Output(output, n) => self.pass(Some((output, n)))?,
                ReplyEvent::NeedMore | ReplyEvent::Drop(_) => self.pass(None)?,
            }
        }
    }

    /// Drops bytes that need no attention. Returns what comes after them.
    fn next_event(&mut self) -> ReplyEvent {
        loop {
            match self.reply.step(self.received.bytes()) {
                ReplyEvent::Drop(n) => self.received.drop(n),
                event => return event,
            }
        }
    }

    /// Waits, then moves what can be moved: `output` if there is any, else bytes from the connection; and the
    /// request in both cases.
    fn pass(&mut self, output: Option<(Output, usize)>) -> Result<(), Failure> {
        let to_connection = if self.request.pending().is_empty() { 0 } else { WRITABLE };
        let from_connection = if output.is_none() { READABLE } else { 0 };
        let mut ready = [
            waiting_for(self.connection, to_connection | from_connection),
            waiting_for(STDIN, if self.request.wants_body() { READABLE } else { 0 }),
            output.map_or(NOTHING, |(output, _)| waiting_for(target(output), WRITABLE)),
        ];
        match poll(&mut ready, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            result => result.map_err(|error| Failure::system("Cannot wait", &error))?,
        };
        let [connection, stdin, out] = ready.map(|entry| entry.revents);
        if to_connection != 0 && connection & !READABLE != 0 {
            self.send();
        }
        if let Some((output, n)) = output.filter(|_| out != 0) {
            self.write(output, n)?;
        }
        if connection & !WRITABLE != 0 && from_connection != 0 {
            self.receive()?;
        }
        if stdin != 0 {
            self.read_body()?;
        }
        Ok(())
    }

    /// Sends what can be sent. An application that has closed its side may have answered before: its reply
    /// counts, not the failure to send.
    fn send(&mut self) {
        match descriptor::send_now(self.connection, self.request.pending()) {
            Ok(n) => self.request.sent(n),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.request.give_up(),
        }
    }

    fn receive(&mut self) -> Result<(), Failure> {
        match descriptor::recv_now(self.connection, self.received.room()) {
            Ok(0) => Err(Failure::new(
                "The application closed the connection before the end of the request",
                PROTOCOL_STATUS,
            )),
            Ok(n) => {
                self.received.add(n);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(Failure::system("The connection to the application broke", &error)),
        }
    }

    fn read_body(&mut self) -> Result<(), Failure> {
        match self.request.read_body(|room| descriptor::read(STDIN, room)) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => {
                Err(Failure::system("Cannot read standard input", &error))
            }
            _ => Ok(()),
        }
    }

    /// Writes some of the first `n` bytes received, which are output. Drops error messages that cannot be
    /// written.
    fn write(&mut self, output: Output, n: usize) -> Result<(), Failure> {
        let n = n.min(MOST_WRITTEN);
        let bytes = self.received.bytes().get(..n).unwrap_or_default();
        let written = match descriptor::write(target(output), bytes) {
            Ok(written) => written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(_) if output == Output::Stderr => n,
            Err(error) => return Err(Failure::system("Cannot write standard output", &error)),
        };
        self.reply.written(written);
        self.received.drop(written);
        Ok(())
    }
}

const fn target(output: Output) -> RawFd {
    match output {
        Output::Stdout => STDOUT,
        Output::Stderr => STDERR,
    }
}

fn waiting_for(fd: RawFd, events: i16) -> PollFd {
    if events == 0 { NOTHING } else { PollFd::new(fd, events) }
}

fn application_status(end: EndRequest) -> Result<u32, Failure> {
    let reason = match end.protocol_status {
        ProtocolStatus::RequestComplete => return Ok(end.app_status),
        ProtocolStatus::CantMpxConn => "no second request on one connection".to_owned(),
        ProtocolStatus::Overloaded => "it is overloaded".to_owned(),
        ProtocolStatus::UnknownRole => "it does not know the role Responder".to_owned(),
        ProtocolStatus::Unknown(status) => format!("protocol status {status}"),
    };
    Err(Failure::new(format!("The application refused the request: {reason}"), PROTOCOL_STATUS))
}

fn broken(breach: Breach) -> Failure {
    let status =
        if matches!(breach, Breach::Version(_)) { VERSION_STATUS } else { PROTOCOL_STATUS };
    Failure::new(format!("The application broke the protocol: it sent {breach}"), status)
}

/// Bytes received and not yet used.
struct Received {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Received {
    fn new() -> Self {
        Self { buffer: vec![0; HEADER_LEN + MAX_CONTENT], start: 0, end: 0 }
    }

    fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Returns room to receive into. Never empty when [`ReplyReader::step`] needs more: the buffer then holds
    /// less than a header or a content of fixed size, which moves to the front.
    fn room(&mut self) -> &mut [u8] {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    fn add(&mut self, n: usize) {
        self.end = self.buffer.len().min(self.end + n);
    }

    fn drop(&mut self, n: usize) {
        self.start = self.end.min(self.start + n);
    }
}
