//! The web server's side of one connection: whole requests and their answers.

use std::thread;

use fcgi::internals::protocol::{ProtocolStatus, RecordType};
use testkit::wire::{self, Connection, Record};

/// The values of `keep` in BEGIN_REQUEST.
pub(crate) const KEPT: bool = true;
const LAST: bool = false;

/// A request for a program of examples-ffi.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) query: &'a [u8],
    /// The parameters beside REQUEST_METHOD, QUERY_STRING and CONTENT_LENGTH.
    pub(crate) more: &'a [(&'a [u8], &'a [u8])],
    pub(crate) body: &'a [u8],
}

impl Request<'_> {
    pub(crate) const GET: Request<'static> =
        Request { method: "GET", query: b"a=1", more: &[], body: b"" };

    /// Returns the records of the whole request.
    pub(crate) fn bytes(&self, keep: bool) -> Vec<u8> {
        [self.head(keep), wire::stdin(1, self.body)].concat()
    }

    /// Returns the records before the body.
    pub(crate) fn head(&self, keep: bool) -> Vec<u8> {
        let length = self.body.len().to_string();
        let fixed: [(&[u8], &[u8]); 3] = [
            (b"REQUEST_METHOD", self.method.as_bytes()),
            (b"QUERY_STRING", self.query),
            (b"CONTENT_LENGTH", length.as_bytes()),
        ];
        let params = wire::byte_pairs(&[&fixed, self.more].concat());
        [wire::begin(1, keep), wire::stream(RecordType::PARAMS, 1, &params)].concat()
    }

    /// Returns the answer that the contract demands.
    pub(crate) fn answer(&self) -> Vec<u8> {
        // The library adds FCGI_ROLE.
        let count = 4 + self.more.len();
        let mut head = b"Content-Type: application/octet-stream\r\n".to_vec();
        head.extend(format!("X-Method: {}\r\nX-Query: ", self.method).bytes());
        head.extend(self.query);
        head.extend(format!("\r\nX-Params: {count}\r\n").bytes());
        if let Some((_, value)) = self.more.iter().find(|(name, _)| *name == self.query) {
            head.extend([b"X-Value: ", *value, b"\r\n"].concat());
        }
        [&head, &b"\r\n"[..], self.body].concat()
    }
}

/// What a program has answered.
pub(crate) struct Answer {
    pub(crate) output: Vec<u8>,
    pub(crate) log: String,
    pub(crate) status: u32,
}

impl Answer {
    /// Reads an answer whose last record ends the request.
    fn of(records: &[Record]) -> Self {
        let end = records.last().and_then(Record::end_request).expect("the request is ended");
        assert_eq!(end.protocol_status, ProtocolStatus::RequestComplete);
        let log = records.iter().filter(|record| record.kind == RecordType::STDERR);
        let log = log.flat_map(|record| record.content.clone()).collect();
        let log = String::from_utf8(log).unwrap();
        Self { output: wire::output(records), log, status: end.app_status }
    }
}

/// A connection to a program. It sends and receives at the same time: a program that echoes does not read
/// on before its answer is read.
pub(crate) struct Client {
    sender: Connection,
    receiver: Connection,
}

impl Client {
    pub(crate) fn new(connection: Connection) -> Self {
        let stream = connection.into_stream();
        let second = stream.try_clone().unwrap();
        Self { sender: Connection::on(stream.into()), receiver: Connection::on(second.into()) }
    }

    /// Sends a request on a connection that stays open and returns the answer.
    pub(crate) fn ask(&mut self, request: &Request) -> Answer {
        let Self { sender, receiver } = self;
        thread::scope(|scope| {
            scope.spawn(|| {
                sender.send(&request.bytes(KEPT));
            });
            Answer::of(&receiver.until_end_of(1))
        })
    }

    /// Sends a request as [`Client::ask`] does, but does something else between the first output and the rest.
    pub(crate) fn ask_slowly(&mut self, request: &Request, meanwhile: impl FnOnce()) -> Answer {
        let Self { sender, receiver } = self;
        thread::scope(|scope| {
            scope.spawn(|| {
                sender.send(&request.bytes(KEPT));
            });
            let mut records = receiver.until_record(|record| record.kind == RecordType::STDOUT);
            meanwhile();
            records.extend(receiver.until_end_of(1));
            Answer::of(&records)
        })
    }

    /// Sends a request on a connection that the program closes, and returns the answer.
    pub(crate) fn ask_last(mut self, request: &Request) -> Answer {
        let Self { sender, receiver } = &mut self;
        thread::scope(|scope| {
            scope.spawn(|| {
                sender.send(&request.bytes(LAST));
            });
            Answer::of(&receiver.until_closed())
        })
    }

    /// Sends records that the socket's buffer has room for, and waits until the program has read them.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.sender.send(bytes).until_read();
    }

    /// Returns the rest of an answer.
    pub(crate) fn answer(&mut self) -> Answer {
        Answer::of(&self.receiver.until_end_of(1))
    }
}
