//! The load generator, which replaces a web server on its side of FastCGI. It checks every byte of every
//! response.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::ptr;
use std::time::{Duration, Instant};

use fcgi::internals::protocol::record::{HEADER_LEN, Header, RecordType};

use crate::scenario::{DIGIT, Scenario};
use testkit::wire;

/// Bodies are cut into records of this size, as by nginx.
const RECORD: usize = 32 * 1024;

/// The size up to which a request fits into any socket's buffer.
const FITS: usize = 32 * 1024;

/// A request and its expected response.
pub(crate) struct Exchange {
    pub(crate) request: Vec<u8>,
    answer: Vec<u8>,
    complaint: &'static [u8],
    pub(crate) kept: bool,
}

impl Exchange {
    pub(crate) fn of(scenario: &Scenario) -> Self {
        let list = scenario.parameters();
        let list: Vec<(&str, &str)> =
            list.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut request = [wire::begin(1, scenario.kept), wire::params(1, &list)].concat();
        for piece in scenario.request_body().chunks(RECORD) {
            request.extend(wire::record(RecordType::STDIN, 1, piece));
        }
        request.extend(wire::record(RecordType::STDIN, 1, b""));
        let (answer, complaint) = (scenario.answer(), scenario.complaint());
        Self { request, answer, complaint, kept: scenario.kept }
    }

    /// Splits the request into several sends: BEGIN_REQUEST, PARAMS, STDIN. It has no body.
    pub(crate) fn pieces(&self) -> [&[u8]; 3] {
        let (begin, rest) = self.request.split_at(2 * HEADER_LEN);
        let (params, stdin) = rest.split_at(rest.len() - HEADER_LEN);
        [begin, params, stdin]
    }

    /// Returns the response as an application that knows it in advance would send it.
    pub(crate) fn response(&self) -> Vec<u8> {
        let mut bytes = wire::stream(RecordType::STDOUT, 1, &self.answer);
        bytes.extend(wire::record(RecordType::END_REQUEST, 1, &[0; 8]));
        bytes
    }
}

/// The address of a listen socket that programs inherit.
pub(crate) enum Address {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

/// Listens on a new socket in `dir`, or on a TCP port that the system chooses.
pub(crate) fn listen(tcp: bool, dir: &Path) -> (OwnedFd, Address) {
    if tcp {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        (socket.into(), Address::Tcp(address))
    } else {
        let path = dir.join("socket");
        (UnixListener::bind(&path).unwrap().into(), Address::Unix(path))
    }
}

enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// How an exchange has ended, if the response was not a wrong one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answered,
    /// The response was not complete before the time was up.
    TimeUp,
    /// The connection ended before the response was complete.
    Cut,
}

/// One connection.
pub(crate) struct Client {
    socket: Socket,
    buffer: Vec<u8>,
    from: usize,
    to: usize,
    /// The number of the process that answered last, if answers contain it.
    pub(crate) worker: u32,
}

impl Client {
    pub(crate) fn connect(address: &Address) -> io::Result<Self> {
        let socket = match address {
            Address::Unix(path) => Socket::Unix(UnixStream::connect(path)?),
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                Socket::Tcp(stream)
            }
        };
        Ok(Self { socket, buffer: Vec::new(), from: 0, to: 0, worker: 0 })
    }

    /// Makes room for this number of bytes that the program has not read yet, as far as the system allows it.
    /// Returns whether sending them never blocks.
    pub(crate) fn make_room(&self, bytes: usize) -> bool {
        // The kernel also counts its own overhead for each piece.
        let wanted = libc::c_int::try_from(2 * bytes).unwrap();
        let length = size_of::<libc::c_int>() as libc::socklen_t;
        let is_set = |option| {
            // SAFETY: the kernel reads one int from a place that outlives the call.
            let done = unsafe {
                libc::setsockopt(
                    self.descriptor(),
                    libc::SOL_SOCKET,
                    option,
                    ptr::from_ref(&wanted).cast(),
                    length,
                )
            };
            done == 0
        };
        // SO_SNDBUFFORCE exceeds the system's limit, for a privileged process.
        is_set(libc::SO_SNDBUFFORCE) || bytes <= FITS
    }

    /// Sets how long to wait for bytes before [`Client::receive`] checks the time.
    pub(crate) fn look_up_every(&self, time: Duration) {
        match &self.socket {
            Socket::Unix(stream) => stream.set_read_timeout(Some(time)).unwrap(),
            Socket::Tcp(stream) => stream.set_read_timeout(Some(time)).unwrap(),
        }
    }

    pub(crate) fn descriptor(&self) -> RawFd {
        match &self.socket {
            Socket::Unix(stream) => stream.as_raw_fd(),
            Socket::Tcp(stream) => stream.as_raw_fd(),
        }
    }

    /// Sends the request. An application may answer before it has read everything, and close.
    pub(crate) fn send(&mut self, exchange: &Exchange) {
        self.send_piece(&exchange.request);
    }

    /// Sends a part of a request.
    pub(crate) fn send_piece(&mut self, bytes: &[u8]) {
        let sent = match &mut self.socket {
            Socket::Unix(stream) => stream.write_all(bytes),
            Socket::Tcp(stream) => stream.write_all(bytes),
        };
        if let Err(error) = sent {
            let gone = [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset];
            assert!(gone.contains(&error.kind()), "sending: {error}");
        }
    }

    /// Receives and checks the response up to its end. No bytes may follow.
    pub(crate) fn receive(&mut self, exchange: &Exchange, end: Instant) -> Outcome {
        self.worker = 0;
        self.response(exchange, end).err().unwrap_or(Outcome::Answered)
    }

    /// Reads the response. An error says how it ended instead.
    fn response(&mut self, exchange: &Exchange, end: Instant) -> Result<(), Outcome> {
        let (mut answer, mut complaint) = (exchange.answer.as_slice(), exchange.complaint);
        if self.buffer.is_empty() {
            self.buffer.resize((2 * exchange.answer.len()).clamp(4 * 1024, 256 * 1024), 0);
        }
        loop {
            let header = self.header(end)?;
            assert_eq!(header.request_id, 1, "request id");
            let mut left = usize::from(header.content_length);
            if header.kind == RecordType::END_REQUEST {
                left += usize::from(header.padding_length);
                self.fill_to(left, end)?;
                assert_eq!(self.buffer[self.from..self.from + 5], [0; 5], "END_REQUEST");
                self.from += left;
                assert!(answer.is_empty() && complaint.is_empty(), "the response is cut short");
                assert_eq!(self.from, self.to, "more than the response");
                return Ok(());
            }
            let expected = match header.kind {
                RecordType::STDOUT => &mut answer,
                RecordType::STDERR => &mut complaint,
                kind => panic!("a record of type {kind:?}"),
            };
            assert!(left <= expected.len(), "the response is too long");
            while left > 0 {
                self.fill_to(1, end)?;
                let n = left.min(self.to - self.from);
                let (head, tail) = expected.split_at(n);
                self.check(head);
                *expected = tail;
                self.from += n;
                left -= n;
            }
            left = usize::from(header.padding_length);
            self.fill_to(left, end)?;
            self.from += left;
        }
    }

    /// Compares the received bytes with the expected ones, and notes the process's number in its place.
    fn check(&mut self, expected: &[u8]) {
        let got = &self.buffer[self.from..self.from + expected.len()];
        if got == expected {
            return;
        }
        for (got, expected) in got.iter().zip(expected) {
            let is_place = char::from(*expected) == DIGIT;
            assert!(got == expected || (is_place && got.is_ascii_digit()), "another response");
            if is_place {
                self.worker = 10 * self.worker + u32::from(got - b'0');
            }
        }
    }

    fn header(&mut self, end: Instant) -> Result<Header, Outcome> {
        self.fill_to(HEADER_LEN, end)?;
        let bytes = self.buffer[self.from..].first_chunk::<HEADER_LEN>().unwrap();
        self.from += HEADER_LEN;
        Ok(Header::from_bytes(*bytes))
    }

    /// Reads until this number of bytes has arrived.
    fn fill_to(&mut self, bytes: usize, end: Instant) -> Result<(), Outcome> {
        while self.to - self.from < bytes {
            self.fill(end)?;
        }
        Ok(())
    }

    /// Reads at least one byte.
    fn fill(&mut self, end: Instant) -> Result<(), Outcome> {
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
        } else if self.to == self.buffer.len() {
            self.buffer.copy_within(self.from..self.to, 0);
            (self.from, self.to) = (0, self.to - self.from);
        }
        loop {
            let room = &mut self.buffer[self.to..];
            let read = match &mut self.socket {
                Socket::Unix(stream) => stream.read(room),
                Socket::Tcp(stream) => stream.read(room),
            };
            match read {
                Ok(0) => return Err(Outcome::Cut),
                Ok(n) => {
                    self.to += n;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if Instant::now() >= end {
                        return Err(Outcome::TimeUp);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Err(Outcome::Cut);
                }
                Err(error) => panic!("receiving: {error}"),
            }
        }
    }
}
