//! Carries one request: standard input to the application, its output to standard output and error.
//!
//! One poll over everything that can be waited for, two buffers of the size of one record. Nothing is
//! waited for alone, so an application may answer before it has read the body, or never read it.

use std::io::ErrorKind;
use std::os::fd::RawFd;

use fcgi::os::io as descriptor;
use fcgi::os::poll::{PollFd, READABLE, WRITABLE, poll};
use fcgi::protocol::record::MAX_CONTENT;
use fcgi::protocol::{EndRequest, HEADER_LEN, ProtocolStatus};

use super::answer::{Answer, Breach, Event, Output};
use super::environment::Variable;
use super::failure::{Failure, PROTOCOL_STATUS, VERSION_STATUS};
use super::request::Request;

/// Standard input; it is never made non-blocking, because the flag would be seen by all who share it.
const STDIN: RawFd = 0;
const STDOUT: RawFd = 1;
const STDERR: RawFd = 2;

/// Bytes written at once: a pipe that is ready takes so many without blocking (PIPE_BUF).
const MOST_WRITTEN: usize = 4096;

/// An entry for [`poll`] that waits for nothing. With the descriptor in it, a hang-up would be told
/// again and again.
const NOTHING: PollFd = PollFd::new(-1, 0);

/// A request on its way and its answer.
pub(crate) struct Bridge<I> {
    connection: RawFd,
    request: Request<I>,
    answer: Answer,
    received: Received,
}

impl<I: Iterator<Item = Variable>> Bridge<I> {
    /// A bridge over `connection`, which stays the caller's.
    pub(crate) fn new(connection: RawFd, request: Request<I>) -> Self {
        Self { connection, request, answer: Answer::new(), received: Received::new() }
    }

    /// Carries the request to its end. Gives the application's exit status.
    pub(crate) fn run(mut self) -> Result<u32, Failure> {
        loop {
            match self.next_event() {
                Event::End(end) => return application_status(end),
                Event::Broken(breach) => return Err(broken(breach)),
                Event::Output(output, n) => self.pass(Some((output, n)))?,
                Event::NeedMore | Event::Drop(_) => self.pass(None)?,
            }
        }
    }

    /// What the received bytes ask for, once all that can be dropped is dropped.
    fn next_event(&mut self) -> Event {
        loop {
            match self.answer.step(self.received.bytes()) {
                Event::Drop(n) => self.received.drop(n),
                event => return event,
            }
        }
    }

    /// Waits, then moves what can be moved: `output` if there is some, else from the connection;
    /// and the request in any case.
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

    /// Sends what can be sent. An application that has closed its side may still have answered: what
    /// it said counts, not that it did not listen.
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

    /// Writes some of the `n` bytes of output at the front. Error messages that nobody can read are
    /// dropped.
    fn write(&mut self, output: Output, n: usize) -> Result<(), Failure> {
        let n = n.min(MOST_WRITTEN);
        let bytes = self.received.bytes().get(..n).unwrap_or_default();
        let written = match descriptor::write(target(output), bytes) {
            Ok(written) => written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(_) if output == Output::Stderr => n,
            Err(error) => return Err(Failure::system("Cannot write standard output", &error)),
        };
        self.answer.written(written);
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

    /// Where more bytes go. Never empty when [`Answer::step`] needs more: it then holds less than a
    /// header or a fixed-size content, which is moved to the front.
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
