//! The web server's side: record bytes to send, and the reply as a list of records.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use fcgi::internals::protocol::body::KEEP_CONN;
use fcgi::internals::protocol::name_value::encode_length;
use fcgi::internals::protocol::record::VERSION;
use fcgi::internals::protocol::{BeginRequest, EndRequest, HEADER_LEN, Header, RecordType, Role};

use super::{PATIENCE, until};

/// Returns a record with padding, all zero.
pub fn padded(kind: RecordType, id: u16, content: &[u8], padding: u8) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("the content fits into one record");
    let header = Header { padding_length: padding, ..Header::new(kind, id, length) };
    let mut bytes = header.to_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len() + usize::from(padding), 0);
    bytes
}

/// Returns a record.
pub fn record(kind: RecordType, id: u16, content: &[u8]) -> Vec<u8> {
    padded(kind, id, content, 0)
}

/// Returns BEGIN_REQUEST for a Responder.
pub fn begin(id: u16, keep: bool) -> Vec<u8> {
    begin_role(id, Role::Responder, keep)
}

/// Returns BEGIN_REQUEST for a role.
pub fn begin_role(id: u16, role: Role, keep: bool) -> Vec<u8> {
    let flags = if keep { KEEP_CONN } else { 0 };
    record(RecordType::BEGIN_REQUEST, id, &BeginRequest { role, flags }.to_bytes())
}

/// Returns the content of PARAMS or GET_VALUES: pairs with lengths in their short forms.
pub fn pairs(pairs: &[(&str, &str)]) -> Vec<u8> {
    let pairs: Vec<_> =
        pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    byte_pairs(&pairs)
}

/// Returns what [`pairs`] returns, for names and values that need not be text.
pub fn byte_pairs(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in pairs {
        for text in [name, value] {
            let (length, n) = encode_length(text.len()).unwrap();
            bytes.extend_from_slice(&length[..n]);
        }
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(value);
    }
    bytes
}

/// Returns all parameters: one PARAMS record, unless there are no parameters, and the empty one.
pub fn params(id: u16, list: &[(&str, &str)]) -> Vec<u8> {
    stream(RecordType::PARAMS, id, &pairs(list))
}

/// Returns a whole body: one STDIN record, unless the body is empty, and the empty one.
pub fn stdin(id: u16, body: &[u8]) -> Vec<u8> {
    stream(RecordType::STDIN, id, body)
}

/// Returns a whole stream of the given kind.
pub fn stream(kind: RecordType, id: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in body.chunks(0xffff) {
        bytes.extend(record(kind, id, piece));
    }
    bytes.extend(record(kind, id, b""));
    bytes
}

/// Returns a whole Responder request.
pub fn request(id: u16, keep: bool, list: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    [begin(id, keep), params(id, list), stdin(id, body)].concat()
}

/// Returns ABORT_REQUEST.
pub fn abort(id: u16) -> Vec<u8> {
    record(RecordType::ABORT_REQUEST, id, b"")
}

/// Returns GET_VALUES for the given names.
pub fn get_values(names: &[&str]) -> Vec<u8> {
    let list: Vec<(&str, &str)> = names.iter().map(|name| (*name, "")).collect();
    record(RecordType::GET_VALUES, 0, &pairs(&list))
}

/// Returns records that belong to no request: a claim of 65,535 bytes for a request that does not
/// exist, the end of such a request's body, and a management question.
pub fn no_requests() -> [Vec<u8>; 3] {
    [vec![1, 5, 0, 1, 0xff, 0xff, 0, 0], vec![1, 5, 0, 1, 0, 0, 0, 0], get_values(&[])]
}

/// A received record, without its padding.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    pub kind: RecordType,
    pub id: u16,
    pub content: Vec<u8>,
}

impl Record {
    pub fn new(kind: RecordType, id: u16, content: &[u8]) -> Self {
        Self { kind, id, content: content.to_vec() }
    }

    /// Returns END_REQUEST's content, if this is one.
    pub fn end_request(&self) -> Option<EndRequest> {
        let body = self.content.as_slice().try_into().ok()?;
        (self.kind == RecordType::END_REQUEST).then(|| EndRequest::from_bytes(body))
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.kind, self.id)?;
        match self.end_request() {
            Some(end) => write!(f, " {} {:?}", end.app_status, end.protocol_status),
            None => write!(f, " \"{}\"", self.content.escape_ascii()),
        }
    }
}

/// Cuts a reply into records and joins neighboring contents of one stream, because an application may
/// cut its output as it likes. Bytes that are left over are not a whole record.
pub fn records(mut bytes: &[u8]) -> (Vec<Record>, &[u8]) {
    let mut list: Vec<Record> = Vec::new();
    while let Some((header, rest)) = bytes.split_first_chunk::<HEADER_LEN>() {
        let header = Header::from_bytes(*header);
        assert_eq!(header.version, VERSION, "{:?}", bytes.escape_ascii());
        let length = usize::from(header.content_length);
        let Some((content, rest)) = rest.split_at_checked(length) else { break };
        let Some(rest) = rest.get(usize::from(header.padding_length)..) else { break };
        bytes = rest;
        let joins = matches!(header.kind, RecordType::STDOUT | RecordType::STDERR) && length > 0;
        match list.last_mut() {
            Some(last)
                if joins
                    && last.kind == header.kind
                    && last.id == header.request_id
                    && !last.content.is_empty() =>
            {
                last.content.extend_from_slice(content);
            }
            _ => list.push(Record::new(header.kind, header.request_id, content)),
        }
    }
    (list, bytes)
}

/// Returns the output in a list of records.
pub fn output(records: &[Record]) -> Vec<u8> {
    let out = records.iter().filter(|record| record.kind == RecordType::STDOUT);
    out.flat_map(|record| record.content.clone()).collect()
}

/// Returns the output in a list of records as text.
pub fn text(records: &[Record]) -> String {
    String::from_utf8(output(records)).unwrap()
}

/// Returns whether a list of records ends with the end of a request.
pub fn is_complete(records: &[Record]) -> bool {
    records.last().is_some_and(|record| record.kind == RecordType::END_REQUEST)
}

/// One connection to an application.
pub struct Connection {
    stream: UnixStream,
    received: Vec<u8>,
    pub closed: bool,
}

impl Connection {
    /// Connects; waits for the socket if it does not exist yet.
    pub fn open(path: &Path) -> Self {
        Self::on(until("a connection", PATIENCE, || UnixStream::connect(path).ok()).into())
    }

    /// Makes a connection of a connected stream socket of any kind.
    pub fn on(socket: OwnedFd) -> Self {
        // The functions of UnixStream used here work on every stream socket.
        let stream = UnixStream::from(socket);
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream, received: Vec::new(), closed: false }
    }

    /// Returns the socket, for a test that reads and writes it in its own way.
    pub fn into_stream(self) -> UnixStream {
        self.stream
    }

    /// Sends the bytes again and again, and discards what comes, until the given time.
    pub fn flood(self, bytes: &[u8], end: Instant) {
        let mut reader = self.stream.try_clone().unwrap();
        thread::scope(|scope| {
            scope.spawn(move || while reader.read(&mut [0; 65_536]).is_ok_and(|n| n > 0) {});
            let mut writer = &self.stream;
            while Instant::now() < end && writer.write_all(bytes).is_ok() {}
            let _ = writer.shutdown(Shutdown::Both);
        });
    }

    /// Sends bytes. If the application has already closed, the rest is lost.
    pub fn send(&mut self, bytes: &[u8]) -> &mut Self {
        match self.stream.write_all(bytes) {
            Err(error)
                if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) =>
            {
                panic!("send: {error}")
            }
            _ => self,
        }
    }

    /// Shuts down sending.
    pub fn half_close(&mut self) -> &mut Self {
        let _ = self.stream.shutdown(Shutdown::Write);
        self
    }

    /// Waits until the application has read everything that was sent, or has closed.
    pub fn until_read(&mut self) {
        until("the application to read", PATIENCE, || {
            let mut unread: libc::c_int = 0;
            // SAFETY: TIOCOUTQ writes one int, and `unread` is one.
            let done = unsafe { libc::ioctl(self.stream.as_raw_fd(), libc::TIOCOUTQ, &mut unread) };
            assert_eq!(done, 0, "TIOCOUTQ");
            (unread == 0).then_some(())
        });
    }

    /// Reads once. Returns false when the time is up or the connection has ended.
    fn read(&mut self, end: Instant) -> bool {
        let left = end.saturating_duration_since(Instant::now());
        if self.closed || left.is_zero() {
            return false;
        }
        let mut chunk = [0; 65_536];
        self.stream.set_read_timeout(Some(left)).unwrap();
        match self.stream.read(&mut chunk) {
            Ok(0) => self.closed = true,
            Ok(n) => self.received.extend_from_slice(&chunk[..n]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => self.closed = true,
        }
        !self.closed
    }

    /// Returns everything up to the connection's end, which must come in time.
    pub fn until_closed(&mut self) -> Vec<Record> {
        let end = Instant::now() + PATIENCE;
        while self.read(end) {}
        let (list, rest) = records(&self.received);
        assert!(self.closed, "not closed; received {list:?}");
        assert!(rest.is_empty(), "the connection ends within a record: {:?}", rest.escape_ascii());
        self.received.clear();
        list
    }

    /// Returns what comes up to and including the first record that `last` accepts.
    pub fn until_record(&mut self, last: impl Fn(&Record) -> bool) -> Vec<Record> {
        let end = Instant::now() + PATIENCE;
        loop {
            let (list, rest) = records(&self.received);
            if list.last().is_some_and(&last) {
                self.received = rest.to_vec();
                return list;
            }
            assert!(self.read(end), "closed: {}, received only {list:?}", self.closed);
        }
    }

    /// Returns what comes up to the END_REQUEST of one request.
    pub fn until_end_of(&mut self, id: u16) -> Vec<Record> {
        self.until_record(|record| record.kind == RecordType::END_REQUEST && record.id == id)
    }

    /// Returns what comes before the connection's end, or within the limit. Half a record is left out.
    pub fn within(&mut self, limit: Duration) -> Vec<Record> {
        let end = Instant::now() + limit;
        while self.read(end) {}
        records(&self.received).0
    }

    /// Returns whether the application has closed its side or the connection.
    pub fn has_ended(&mut self) -> bool {
        self.read(Instant::now() + Duration::from_millis(1));
        self.closed
    }

    /// Returns whether nothing comes for the given time.
    pub fn is_silent(&mut self, a_while: Duration) -> bool {
        let end = Instant::now() + a_while;
        while self.read(end) {}
        self.received.is_empty() && !self.closed
    }
}

/// Sends the bytes on a connection of their own. Returns the reply up to the connection's end.
pub fn exchange(path: &Path, bytes: &[u8]) -> Vec<Record> {
    Connection::open(path).send(bytes).half_close().until_closed()
}

/// Sends the bytes in two pieces, cut at every offset in turn, and once byte by byte. Every reply must
/// equal the reply to the whole. The application sees the pieces apart: the second is sent when the
/// first has been read.
pub fn exchange_split(path: &Path, bytes: &[u8]) -> Vec<Record> {
    let whole = exchange(path, bytes);
    for at in 1..bytes.len() {
        let mut connection = Connection::open(path);
        connection.send(&bytes[..at]);
        connection.until_read();
        let reply = connection.send(&bytes[at..]).half_close().until_closed();
        assert_eq!(reply, whole, "cut at {at}");
    }
    let mut connection = Connection::open(path);
    for byte in bytes.chunks(1) {
        connection.send(byte);
        connection.until_read();
    }
    assert_eq!(connection.half_close().until_closed(), whole, "byte by byte");
    whole
}
