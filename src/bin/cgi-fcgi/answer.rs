//! The application's side of the conversation: records received, as what to do with them.
//!
//! No input or output here.

use std::fmt;

use fcgi::protocol::body::BODY_LEN;
use fcgi::protocol::record::{RecordType, VERSION};
use fcgi::protocol::{EndRequest, HEADER_LEN, Header, Reader, Step};

use super::request::REQUEST_ID;

/// Where output of the application goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What the front of the received bytes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Nothing can be said before more bytes arrive.
    NeedMore,
    /// So many bytes that are dealt with: drop them.
    Drop(usize),
    /// So many bytes of output; write any number, then drop them and say so with [`Answer::written`].
    Output(Output, usize),
    /// The application has finished the request.
    End(EndRequest),
    /// The application breaks the protocol; nothing behind this can be understood.
    Broken(Breach),
}

/// How the application breaks the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breach {
    /// A record of another protocol version.
    Version(u8),
    /// A record of a request that was never begun.
    RequestId(u16),
    /// A record that an application does not send.
    Type(RecordType),
    /// END_REQUEST of a wrong size.
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

/// The place within the answer.
pub(crate) struct Answer {
    reader: Reader,
    content: Content,
}

impl Answer {
    /// The beginning of an answer.
    pub(crate) fn new() -> Self {
        Self { reader: Reader::new(), content: Content::End }
    }

    /// Looks at `bytes`, the ones received and not yet dropped.
    pub(crate) fn step(&mut self, bytes: &[u8]) -> Event {
        match self.reader.step(bytes) {
            Step::NeedMore => Event::NeedMore,
            Step::Skip(n) => Event::Drop(n),
            Step::Header(header) => match content_of(&header) {
                Ok(content) => {
                    self.content = content;
                    Event::Drop(HEADER_LEN)
                }
                Err(breach) => Event::Broken(breach),
            },
            Step::Content(n) => match self.content {
                Content::Output(output) => Event::Output(output, n),
                Content::End => match bytes.first_chunk::<BODY_LEN>() {
                    None => Event::NeedMore,
                    Some(body) => Event::End(EndRequest::from_bytes(*body)),
                },
            },
        }
    }

    /// Takes note that `n` bytes of output were written.
    pub(crate) fn written(&mut self, n: usize) {
        self.reader.consume(n);
    }
}

/// Says what the content behind `header` is. An empty STDOUT or STDERR ends that stream, which means
/// nothing here: only END_REQUEST ends the answer.
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
    use fcgi::protocol::ProtocolStatus;
    use fcgi::protocol::writer::end_request;

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

    /// Feeds `bytes` in pieces; gives the outputs and the event that stopped it.
    fn read(bytes: &[u8], piece: usize) -> (Vec<u8>, Vec<u8>, Event) {
        let (mut out, mut err, mut pending) = (Vec::new(), Vec::new(), Vec::new());
        let mut answer = Answer::new();
        for chunk in bytes.chunks(piece) {
            pending.extend_from_slice(chunk);
            loop {
                let used = match answer.step(&pending) {
                    Event::NeedMore => break,
                    Event::Drop(n) => n,
                    Event::Output(output, n) => {
                        let to = if output == Output::Stdout { &mut out } else { &mut err };
                        to.extend_from_slice(&pending[..n]);
                        answer.written(n);
                        n
                    }
                    event => return (out, err, event),
                };
                pending.drain(..used);
            }
        }
        (out, err, Event::NeedMore)
    }

    #[test]
    fn the_answer_is_the_same_however_it_is_cut() {
        let mut bytes = record(RecordType::STDOUT, b"hello", 3);
        bytes.extend(record(RecordType::STDERR, b"oops", 255));
        bytes.extend(record(RecordType::STDOUT, b"", 0));
        bytes.extend(end_request(REQUEST_ID, END));
        for piece in 1..=bytes.len() {
            let expected = (b"hello".to_vec(), b"oops".to_vec(), Event::End(END));
            assert_eq!(read(&bytes, piece), expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn breaches_are_named() {
        let broken = |header: Header| match read(&header.to_bytes(), 8).2 {
            Event::Broken(breach) => breach,
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
        assert_eq!(read(&bytes[..15], 4).2, Event::NeedMore);
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
            // Most begin well enough to be read on.
            bytes[..4].copy_from_slice(&[1, 3 + random() % 6, 0, 1]);
            bytes[4] = 0;
            let whole = read(&bytes, bytes.len());
            assert_eq!(read(&bytes, 1), whole);
        }
    }
}
