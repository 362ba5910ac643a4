//! Web servers: connections on which requests are sent, whole or in pieces, and answers are received.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use crate::kernel::files::FileId;
use crate::kernel::tasks::{call, sleep, with};
use crate::os::descriptor::try_close;
use crate::os::io::{Then, recv_now, recv_within, send_all};
use crate::protocol::record::{Header, RecordType};
use crate::world::{now, random, some_steps};

/// The time in which an answer comes at the latest, where a case does not say otherwise: the library
/// looks at the listen socket every second, whatever the kernel reports.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether the web server asks for a keep-alive connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    Yes,
    No,
}

/// The reason why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The connection has ended.
    Ended,
    /// Nothing comes within the time allowed.
    Silence,
}

pub struct Client {
    fd: RawFd,
    received: Vec<u8>,
    pub patience: Duration,
    /// The number of bytes, at least, that stay together at the end of a request.
    pub last_piece: usize,
}

fn record(kind: RecordType, content: &[u8]) -> Vec<u8> {
    [&Header::new(kind, 1, content.len() as u16).to_bytes()[..], content].concat()
}

/// Returns a request; its number is a parameter.
pub fn request(number: u32, keep: Keep) -> Vec<u8> {
    let keeps = u8::from(keep == Keep::Yes);
    let mut params = vec![1, 4, b'N'];
    params.extend(number.to_be_bytes());
    [
        record(RecordType::BEGIN_REQUEST, &[0, 1, keeps, 0, 0, 0, 0, 0]),
        record(RecordType::PARAMS, &params),
        record(RecordType::PARAMS, b""),
        record(RecordType::STDIN, b""),
    ]
    .concat()
}

/// Returns a management record that wants an answer: FCGI_GET_VALUES with FCGI_MPXS_CONNS.
pub fn question() -> Vec<u8> {
    let content = b"\x0f\0FCGI_MPXS_CONNS";
    [&[1, 9, 0, 0, 0, content.len() as u8, 0, 0][..], content].concat()
}

/// Lets others take a few steps, or sleeps for a moment in which all threads may become idle.
fn pause(most_microseconds: u32) {
    if random(2) == 0 || most_microseconds == 0 {
        some_steps(10);
    } else {
        sleep(Duration::from_micros(random(most_microseconds).into()));
    }
}

impl Client {
    pub fn connect(listen: FileId) -> Self {
        let fd = call(|kernel, me| kernel.connect(me, listen)).expect("the socket listens");
        Self { fd, received: Vec::new(), patience: PATIENCE, last_piece: 0 }
    }

    /// Sends bytes; fails if the other end is gone.
    pub fn send(&self, bytes: &[u8]) -> io::Result<()> {
        send_all(self.fd, bytes, Then::KeepOpen)
    }

    /// Sends in up to three pieces, with pauses between them.
    pub fn send_in_pieces(&self, bytes: &[u8]) -> io::Result<()> {
        let mut left = bytes;
        let pieces = if bytes.len() > self.last_piece { random(3) } else { 0 };
        for _ in 0..pieces {
            let most = left.len().saturating_sub(self.last_piece).max(1);
            let (piece, others) = left.split_at(random(most as u32) as usize);
            self.send(piece)?;
            pause(3000);
            left = others;
        }
        self.send(left)
    }

    /// Receives until `found` says that enough has come.
    fn receive_until<T>(&mut self, found: impl Fn(&[u8]) -> Option<T>) -> Result<T, Lost> {
        let end = now() + self.patience;
        loop {
            if let Some(found) = found(&self.received) {
                return Ok(found);
            }
            let mut room = [0; 512];
            let left = end.saturating_sub(now());
            match recv_within(self.fd, &mut room, left) {
                Ok(None) => return Err(Lost::Silence),
                Ok(Some(0)) | Err(_) => return Err(Lost::Ended),
                Ok(Some(count)) => self.received.extend(&room[..count]),
            }
        }
    }

    /// Receives an answer. Returns the number of the request that it belongs to.
    pub fn receive(&mut self) -> Result<u32, Lost> {
        let (number, length) = self.receive_until(answer)?;
        self.received.drain(..length);
        Ok(number)
    }

    /// Receives the answer to a [`question`].
    pub fn receive_value(&mut self) -> Result<(), Lost> {
        let length = self.receive_until(|bytes| {
            let length = 8 + usize::from(*bytes.get(5)?) + usize::from(*bytes.get(6)?);
            (bytes.len() >= length).then_some(length)
        })?;
        assert_eq!(self.received[1], 10, "no FCGI_GET_VALUES_RESULT");
        self.received.drain(..length);
        Ok(())
    }

    /// Sends a request and receives its answer, which must be the first and only one.
    pub fn ask(&mut self, number: u32, keep: Keep) -> Result<(), Lost> {
        // The answer may be there even if not all of the request could be sent.
        let _ = self.send_in_pieces(&request(number, keep));
        self.expect(number)
    }

    /// Receives the answer to this request.
    pub fn expect(&mut self, number: u32) -> Result<(), Lost> {
        let answered = self.receive()?;
        assert_eq!(answered, number, "the answer to another request");
        assert_eq!(times_served(number), 1, "request {number} was served more than once");
        Ok(())
    }

    /// Waits until the library closes the connection.
    pub fn wait_for_end(&mut self) {
        assert_eq!(self.receive_until(|_| None::<()>), Err(Lost::Ended));
    }

    /// Returns whether the library or the program has closed the connection.
    pub fn has_ended(&self) -> bool {
        recv_now(self.fd, &mut [0; 8]).is_ok_and(|count| count == 0)
    }

    pub fn close(self) {
        try_close(self.fd).expect("it is open");
    }
}

pub fn times_served(number: u32) -> u32 {
    with(|kernel| kernel.served.get(&number).copied().unwrap_or(0))
}

/// Returns whether a process of the program is dead.
fn is_any_dead() -> bool {
    with(|kernel| kernel.processes.iter().any(|process| process.is_program && process.dead))
}

/// Returns the number in the answer at the start of `bytes`, and its length, once the answer is
/// complete.
fn answer(bytes: &[u8]) -> Option<(u32, usize)> {
    let (mut at, mut number) = (0, None);
    loop {
        let header = bytes.get(at..at + 8)?;
        let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let content = bytes.get(at + 8..at + 8 + length)?;
        at += 8 + length + usize::from(header[6]);
        match header[1] {
            3 => {
                assert_eq!(content[4], 0, "a request is refused");
                return Some((number.expect("an answer without content"), at));
            }
            6 if length == 4 => number = Some(u32::from_be_bytes(content.try_into().ok()?)),
            _ => {}
        }
    }
}

/// A web server that sends a number of requests, each on the keep-alive connection if there is one.
/// Where the library may close connections and has done so, it sends the request again on a new
/// connection.
pub struct Server {
    pub listen: FileId,
    pub keep: Keep,
    pub requests: u32,
    /// Requests that may have to be sent again.
    pub may_lose: bool,
    /// Whether a process may die while it has a request.
    pub may_die: bool,
    /// Whether the program may stop without closing its connections.
    pub may_stop: bool,
    /// The longest pause between two requests, in microseconds.
    pub pause: u32,
    /// Whether requests may come in pieces.
    pub in_pieces: bool,
}

impl Server {
    /// Returns a web server that sends three requests on one keep-alive connection and loses none.
    pub fn new(listen: FileId) -> Self {
        Self {
            listen,
            keep: Keep::Yes,
            requests: 3,
            may_lose: false,
            may_die: false,
            may_stop: false,
            pause: 2000,
            in_pieces: true,
        }
    }

    /// Sends requests with these numbers.
    pub fn run(&self, first: u32) {
        let mut kept: Option<Client> = None;
        for number in first..first + self.requests {
            loop {
                let mut client = kept.take().unwrap_or_else(|| Client::connect(self.listen));
                if self.may_lose {
                    // The end of the head and that of the body stay in one piece. If the rest of a body
                    // is still on its way when a connection is closed at the limit, the answer before
                    // it may be lost.
                    client.last_piece = 16;
                }
                if !self.in_pieces {
                    client.last_piece = usize::MAX;
                }
                let result = client.ask(number, self.keep);
                if self.may_stop && (result == Err(Lost::Silence) || is_any_dead()) {
                    // No connection ends while another process has a copy of it.
                    return client.close();
                }
                assert_ne!(result, Err(Lost::Silence), "request {number} is not answered");
                if result.is_ok() {
                    if self.keep == Keep::Yes {
                        kept = Some(client);
                    } else {
                        client.close();
                    }
                    break;
                }
                client.close();
                assert!(self.may_lose, "request {number} is lost");
                if self.may_die && times_served(number) == 1 {
                    break;
                }
                assert_eq!(
                    times_served(number),
                    0,
                    "request {number} was served, and its answer lost"
                );
                sleep(Duration::from_micros(100));
            }
            pause(self.pause);
        }
        if let Some(client) = kept {
            client.close();
        }
    }
}
