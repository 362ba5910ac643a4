//! Decodes the application's reply: from the records received to what the bridge does with them.
//!
//! No I/O here.

use std::fmt;

use fcgi::internals::protocol::body::BODY_LEN;
use fcgi::internals::protocol::record::{RecordType, VERSION};
use fcgi::internals::protocol::{EndRequest, HEADER_LEN, Header, Reader, Step};

use super::request::REQUEST_ID;

/// Where output of the application is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What comes next in the bytes received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReplyEvent {
    /// Nothing, until more bytes are received.
    NeedMore,
    /// This many bytes that need no attention: the caller drops them.
    Drop(usize),
    /// This many bytes of output. The caller writes any number of them, drops these, and reports them with
    /// [`ReplyReader::written`].
    Output(Output, usize),
    /// The end of the request.
    End(EndRequest),
    /// A breach of the protocol; nothing after it can be understood.
    Broken(Breach),
}

/// How the application breaks the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breach {
    /// A record of another protocol version.
    Version(u8),
    /// A record of a request that does not exist.
    RequestId(u16),
    /// A record that an application must not send.
    Type(RecordType),
    /// An END_REQUEST of a wrong size.
    EndLength(u16),
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "a record of protocol version {version}"),
            Self::RequestId(id) => write!(f, "a record for request {id}, which does not exist"),
            Self::Type(kind) => write!(f, "a record of type {}, out of place", kind.to_byte()),
            Self::EndLength(length) => write!(f, "an END_REQUEST of {length} bytes"),
        }
    }
}

/// What the content of the current record is.
#[derive(Clone, Copy)]
enum Content {
    Output(Output),
    End,
}

/// The position within the reply.
pub(crate) struct ReplyReader {
    reader: Reader,
    content: Content,
}

impl ReplyReader {
    /// A reader at the beginning of the reply.
    pub(crate) fn new() -> Self {
        Self { reader: Reader::new(), content: Content::End }
    }

    /// Returns what comes next in `bytes`, the ones received and not yet dropped.
    pub(crate) fn step(&mut self, bytes: &[u8]) -> ReplyEvent {
        match self.reader.step(bytes) {
            Step::NeedMore => ReplyEvent::NeedMore,
            Step::Skip(n) => ReplyEvent::Drop(n),
            Step::Header(header) => match content_of(&header) {
                Ok(content) => {
                    self.content = content;
                    ReplyEvent::Drop(HEADER_LEN)
                }
                Err(breach) => ReplyEvent::Broken(breach),
            },
            Step::Content(n) => match self.content {
                Content::Output(output) => ReplyEvent::Output(output, n),
                Content::End => match bytes.first_chunk::<BODY_LEN>() {
                    None => ReplyEvent::NeedMore,
                    Some(body) => ReplyEvent::End(EndRequest::from_bytes(*body)),
                },
            },
        }
    }

    /// Notes that `n` bytes of output were written.
    pub(crate) fn written(&mut self, n: usize) {
        self.reader.consume(n);
    }
}

/// Returns what the content of the record of `header` is. An empty STDOUT or STDERR record, which ends the
/// stream, has no effect: only END_REQUEST ends the reply.
fn content_of(header: &Header) -> Result<Content, Breach> {
    if header.version != VERSION {
        return Err(Breach::Version(header.version));
    }
    if header.request_id != REQUEST_ID {
        return Err(Breach::RequestId(header.request_id));
    }
    match header.kind {
        RecordType::STDOUT => Ok(Content::Output(Output::Stdout)),
        RecordType::STDERR => Ok(Content::Output(Output::Stderr)),
        RecordType::END_REQUEST if usize::from(header.content_length) == BODY_LEN => {
            Ok(Content::End)
        }
        RecordType::END_REQUEST => Err(Breach::EndLength(header.content_length)),
        other => Err(Breach::Type(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fcgi::internals::protocol::ProtocolStatus;
    use fcgi::internals::protocol::writer::end_request;

    const END: EndRequest =
        EndRequest { app_status: 7, protocol_status: ProtocolStatus::RequestComplete };

    fn record(kind: RecordType, content: &[u8], padding: u8) -> Vec<u8> {
        let mut header = Header::new(kind, REQUEST_ID, content.len() as u16);
        header.padding_length = padding;
        let mut bytes = header.to_bytes().to_vec();
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len() + usize::from(padding), 0xee);
        bytes
    }

    /// Reads `bytes` in pieces. Returns both outputs, and the event that ends the reply.
    fn read(bytes: &[u8], piece: usize) -> (Vec<u8>, Vec<u8>, ReplyEvent) {
        let (mut out, mut err, mut pending) = (Vec::new(), Vec::new(), Vec::new());
        let mut reply = ReplyReader::new();
        for chunk in bytes.chunks(piece) {
            pending.extend_from_slice(chunk);
            loop {
                let used = match reply.step(&pending) {
                    ReplyEvent::NeedMore => break,
                    ReplyEvent::Drop(n) => n,
                    ReplyEvent::Output(output, n) => {
                        let to = if output == Output::Stdout { &mut out } else { &mut err };
                        to.extend_from_slice(&pending[..n]);
                        reply.written(n);
                        n
                    }
                    event => return (out, err, event),
                };
                pending.drain(..used);
            }
        }
        (out, err, ReplyEvent::NeedMore)
    }

    #[test]
    fn the_reply_is_the_same_however_it_is_cut() {
        let mut bytes = record(RecordType::STDOUT, b"hello", 3);
        bytes.extend(record(RecordType::STDERR, b"oops", 255));
        bytes.extend(record(RecordType::STDOUT, b"", 0));
        bytes.extend(end_request(REQUEST_ID, END));
        for piece in 1..=bytes.len() {
            let expected = (b"hello".to_vec(), b"oops".to_vec(), ReplyEvent::End(END));
            assert_eq!(read(&bytes, piece), expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn breaches_are_named() {
        let broken = |header: Header| match read(&header.to_bytes(), 8).2 {
            ReplyEvent::Broken(breach) => breach,
            other => panic!("{header:?}: {other:?}"),
        };
        let header = |kind, id, length| Header::new(kind, id, length);
        let stdout = header(RecordType::STDOUT, REQUEST_ID, 1);
        assert_eq!(broken(Header { version: 2, ..stdout }), Breach::Version(2));
        assert_eq!(broken(header(RecordType::STDOUT, 2, 1)), Breach::RequestId(2));
        assert_eq!(broken(header(RecordType::GET_VALUES_RESULT, 0, 0)), Breach::RequestId(0));
        assert_eq!(broken(header(RecordType::STDIN, 1, 0)), Breach::Type(RecordType::STDIN));
        for length in [0, 7, 9, 65_535] {
            assert_eq!(
                broken(header(RecordType::END_REQUEST, 1, length)),
                Breach::EndLength(length)
            );
        }
    }

    #[test]
    fn a_cut_end_is_no_end() {
        let bytes = end_request(REQUEST_ID, END);
        assert_eq!(read(&bytes[..15], 4).2, ReplyEvent::NeedMore);
    }

    #[test]
    fn any_bytes_are_understood_or_refused() {
        let mut seed = 1_u32;
        let mut random = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        };
        for _ in 0..2000 {
            let mut bytes: Vec<u8> = (0..64).map(|_| random()).collect();
            // Most headers are valid, so that more is read.
            bytes[..4].copy_from_slice(&[1, 3 + random() % 6, 0, 1]);
            bytes[4] = 0;
            let whole = read(&bytes, bytes.len());
            assert_eq!(read(&bytes, 1), whole);
        }
    }
}
