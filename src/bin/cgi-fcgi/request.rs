//! Encodes the request: from environment and body to records to send.
//!
//! No I/O here: the bridge sends the bytes of [`Request::pending`], and reads the body. The memory is one
//! buffer of the size of one record, however large environment and body are.

use std::io;

use fcgi::internals::protocol::body::BODY_LEN;
use fcgi::internals::protocol::record::{MAX_WRITTEN_CONTENT, RecordType};
use fcgi::internals::protocol::writer::end_of_stream;
use fcgi::internals::protocol::{BeginRequest, HEADER_LEN, Header, Role};

use super::environment::{Params, Variable};

/// The only request on the connection.
pub(crate) const REQUEST_ID: u16 = 1;

/// Room for BEGIN_REQUEST, the largest record after it, and the ends of PARAMS and STDIN.
const CAPACITY: usize =
    (HEADER_LEN + BODY_LEN) + (HEADER_LEN + MAX_WRITTEN_CONTENT) + 2 * HEADER_LEN;

/// What is to be encoded next.
#[derive(Clone, Copy)]
enum Stage {
    Params,
    /// At most this many bytes of the body.
    Body(u64),
    Complete,
}

/// A request that is being sent to the application.
pub(crate) struct Request<I> {
    params: Params<I>,
    body_length: u64,
    stage: Stage,
    buffer: Vec<u8>,
    sent: usize,
    filled: usize,
}

impl<I: Iterator<Item = Variable>> Request<I> {
    /// A request with these parameters and a body of at most `body_length` bytes.
    pub(crate) fn new(variables: I, body_length: u64) -> Self {
        let mut request = Self {
            params: Params::new(variables),
            body_length,
            stage: Stage::Params,
            buffer: vec![0; CAPACITY],
            sent: 0,
            filled: 0,
        };
        let begin = BeginRequest { role: Role::Responder, flags: 0 };
        let header = Header::new(RecordType::BEGIN_REQUEST, REQUEST_ID, BODY_LEN as u16);
        request.push(&header.to_bytes());
        request.push(&begin.to_bytes());
        request.put_params();
        request
    }

    /// The bytes to send next; empty if the body has to be read first, or everything is sent.
    pub(crate) fn pending(&self) -> &[u8] {
        self.buffer.get(self.sent..self.filled).unwrap_or_default()
    }

    /// Notes that `n` bytes of [`Request::pending`] were sent.
    pub(crate) fn sent(&mut self, n: usize) {
        self.sent = self.filled.min(self.sent + n);
        if self.sent == self.filled {
            (self.sent, self.filled) = (0, 0);
            if matches!(self.stage, Stage::Params) {
                self.put_params();
            }
        }
    }

    /// Whether the next step is [`Request::read_body`].
    pub(crate) fn wants_body(&self) -> bool {
        matches!(self.stage, Stage::Body(_)) && self.pending().is_empty()
    }

    /// Encodes the next record of the body from the bytes that `read` returns. If it returns none, the body
    /// ends.
    pub(crate) fn read_body(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<()> {
        let Stage::Body(left) = self.stage else { return Ok(()) };
        let limit = usize::try_from(left).unwrap_or(usize::MAX);
        let n = read(content_room(&mut self.buffer, self.filled, limit))?;
        self.put_record(RecordType::STDIN, n);
        self.await_body(if n == 0 { 0 } else { left.saturating_sub(n as u64) });
        Ok(())
    }

    /// Drops the rest of the request: the application does not read.
    pub(crate) fn give_up(&mut self) {
        self.stage = Stage::Complete;
        (self.sent, self.filled) = (0, 0);
    }

    /// Encodes the next record of parameters, and the end of the stream after the last.
    fn put_params(&mut self) {
        let room = content_room(&mut self.buffer, self.filled, MAX_WRITTEN_CONTENT);
        let n = self.params.read(room);
        self.put_record(RecordType::PARAMS, n);
        if n < MAX_WRITTEN_CONTENT {
            self.push(&end_of_stream(RecordType::PARAMS, REQUEST_ID));
            self.await_body(self.body_length);
        }
    }

    /// Expects `left` more bytes of body, or ends it.
    fn await_body(&mut self, left: u64) {
        self.stage = Stage::Body(left);
        if left == 0 {
            self.push(&end_of_stream(RecordType::STDIN, REQUEST_ID));
            self.stage = Stage::Complete;
        }
    }

    /// Puts a header in front of `n` bytes of content that are in place. Makes no empty record, which would
    /// end the stream.
    fn put_record(&mut self, kind: RecordType, n: usize) {
        if n > 0 {
            self.push(&Header::new(kind, REQUEST_ID, n as u16).to_bytes());
            self.filled += n;
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.filled + bytes.len();
        if let Some(room) = self.buffer.get_mut(self.filled..end) {
            room.copy_from_slice(bytes);
            self.filled = end;
        }
    }
}

/// Returns where the content of the next record goes: room for at most `limit` bytes.
fn content_room(buffer: &mut [u8], filled: usize, limit: usize) -> &mut [u8] {
    let start = filled + HEADER_LEN;
    buffer.get_mut(start..start + limit.min(MAX_WRITTEN_CONTENT)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: &[u8] = b"\x01\x01\0\x01\0\x08\0\0\0\x01\0\0\0\0\0\0";
    const END_PARAMS: &[u8] = b"\x01\x04\0\x01\0\0\0\0";
    const END_STDIN: &[u8] = b"\x01\x05\0\x01\0\0\0\0";

    fn variables(value_length: usize) -> impl Iterator<Item = Variable> {
        [(b"A".to_vec(), vec![b'v'; value_length])].into_iter()
    }

    fn flush<I: Iterator<Item = Variable>>(request: &mut Request<I>) -> Vec<u8> {
        let mut all = Vec::new();
        while !request.pending().is_empty() {
            let n = request.pending().len().min(1000);
            all.extend_from_slice(&request.pending()[..n]);
            request.sent(n);
        }
        all
    }

    #[test]
    fn a_request_without_a_body_is_one_piece() {
        let mut request = Request::new(variables(1), 0);
        let params = b"\x01\x04\0\x01\0\x04\0\0\x01\x01Av";
        assert_eq!(request.pending(), [BEGIN, params, END_PARAMS, END_STDIN].concat());
        assert!(!request.wants_body());
        request.sent(usize::MAX);
        assert!(request.pending().is_empty() && !request.wants_body());
    }

    #[test]
    fn without_parameters_there_is_only_their_end() {
        let request = Request::new(std::iter::empty(), 0);
        assert_eq!(request.pending(), [BEGIN, END_PARAMS, END_STDIN].concat());
    }

    #[test]
    fn the_body_is_cut_at_its_length() {
        let mut request = Request::new(variables(1), 5);
        assert!(!request.wants_body());
        flush(&mut request);
        let bring = |request: &mut Request<_>, bytes: &'static [u8]| {
            assert!(request.wants_body());
            let read = |room: &mut [u8]| {
                let n = bytes.len().min(room.len());
                room[..n].copy_from_slice(&bytes[..n]);
                Ok(n)
            };
            request.read_body(read).unwrap();
            flush(request)
        };
        assert_eq!(bring(&mut request, b"abc"), b"\x01\x05\0\x01\0\x03\0\0abc");
        let last = bring(&mut request, b"defgh");
        assert_eq!(last, [&b"\x01\x05\0\x01\0\x02\0\0de"[..], END_STDIN].concat());
        assert!(!request.wants_body());
    }

    #[test]
    fn an_early_end_of_the_body_ends_the_stream() {
        let mut request = Request::new(variables(1), 5);
        flush(&mut request);
        request.read_body(|_| Ok(0)).unwrap();
        assert_eq!(flush(&mut request), END_STDIN);
        assert!(!request.wants_body());
    }

    #[test]
    fn large_parameters_are_cut_into_records() {
        // Some lengths end just before, at and just after the end of a record.
        for value_length in [1 << 20, 65_521, 65_522, 65_523, 2 * 65_528 - 6] {
            let mut request = Request::new(variables(value_length), 0);
            let all = flush(&mut request);
            let (mut rest, mut content) = (&all[BEGIN.len()..], 0);
            loop {
                let (header, behind) = rest.split_first_chunk().unwrap();
                let header = Header::from_bytes(*header);
                rest = &behind[usize::from(header.content_length)..];
                content += usize::from(header.content_length);
                if header.content_length == 0 {
                    break;
                }
            }
            assert_eq!(content, 6 + value_length);
            assert_eq!(rest, END_STDIN);
        }
    }

    #[test]
    fn nothing_is_sent_after_giving_up() {
        let mut request = Request::new(variables(1), 5);
        request.give_up();
        assert!(request.pending().is_empty() && !request.wants_body());
    }
}
