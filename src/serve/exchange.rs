//! One request on a connection: its head (BEGIN_REQUEST and all parameters), its body, its end.
//!
//! No I/O here; see [`super::incoming`].

use std::ops::Range;
use std::sync::atomic::AtomicPtr;

use super::incoming::{Event, Fault, Incoming, refusal};
use super::params::{KEPT, Params, ParamsError, RoleString};
use crate::protocol::body::{BeginRequest, ProtocolStatus, Role};
use crate::protocol::route::Phase;
use crate::protocol::writer::Record;

/// What BEGIN_REQUEST said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestStart {
    /// The request's id.
    pub id: u16,
    /// What is asked for; never unknown.
    pub role: Role,
    /// Whether the connection stays open after the request.
    pub keep: bool,
}

/// What comes next while the head of a request is read.
#[derive(Clone, Copy, Debug)]
pub enum HeadEvent {
    /// More bytes have to be received first.
    NeedMore,
    /// This record is to be sent; with `close` the connection is to be closed then.
    Record {
        /// The record.
        answer: Record,
        /// Whether the connection ends with it.
        close: bool,
    },
    /// The head is complete: the request can be given to the program.
    Ready(RequestStart),
    /// The connection is of no use any more.
    Broken,
}

/// What comes next while the body of a request is read.
#[derive(Clone, Debug)]
pub enum Body {
    /// More bytes have to be received first.
    NeedMore,
    /// Content, at these offsets of [`Exchange::memory`]; already used up.
    Content(Range<usize>),
    /// The stream has ended.
    End,
    /// This record is to be sent.
    Answer(Record),
    /// The stream has ended before its end.
    Fault(Fault),
}

/// A connection and the request on it.
#[derive(Debug)]
pub struct Exchange {
    incoming: Incoming,
    params: Params,
    start: RequestStart,
    /// Whether the input stream that is read, or has ended, is the request's last one.
    on_last: bool,
}

impl Exchange {
    /// An exchange without a request, on a connection without bytes.
    pub const fn new() -> Self {
        Self {
            incoming: Incoming::new(),
            params: Params::new(),
            start: RequestStart { id: 0, role: Role::Responder, keep: false },
            on_last: true,
        }
    }

    /// Whether the peer takes the connection for one that stays after the request.
    pub const fn is_to_stay(&self) -> bool {
        self.start.keep
    }

    /// Makes it a new exchange; keeps the memory.
    pub fn reset(&mut self) {
        self.incoming.reset();
        self.params.clear();
        self.start.keep = false;
    }

    /// Gives back memory that a connection need not hold while it waits.
    pub fn shrink(&mut self) {
        self.incoming.inbound().shrink();
    }

    /// Returns how much memory it holds that counts: what is beyond `KEPT`, in bytes.
    pub fn held(&self) -> usize {
        (self.params.size() + self.incoming.size()).saturating_sub(KEPT)
    }

    /// Gives up the request whose head holds too much; the record that says so. `None` if none has begun:
    /// then it is a management record that holds it.
    pub fn overload(&mut self) -> Option<Record> {
        let id = self.incoming.active()?.id;
        self.incoming.end_request();
        Some(refusal(id, ProtocolStatus::Overloaded))
    }

    /// The connection's side.
    pub fn incoming(&mut self) -> &mut Incoming {
        &mut self.incoming
    }

    /// Pointers to the parameters' strings, with NULL behind them, once the head was [`HeadEvent::Ready`].
    /// They are valid until the exchange is used for another request.
    pub fn params(&mut self) -> &mut [AtomicPtr<u8>] {
        self.params.pointers()
    }

    /// The buffer that [`Body::Content`] points into, and the first place in it that is unread.
    pub fn memory(&mut self) -> (&mut Vec<u8>, usize) {
        let inbound = self.incoming.inbound();
        let position = inbound.position();
        (inbound.memory(), position)
    }

    /// Reads on in the head of a request. `limit`: bytes of parameters taken at most.
    pub fn head(&mut self, limit: usize) -> HeadEvent {
        loop {
            match self.incoming.step() {
                Event::NeedMore => return HeadEvent::NeedMore,
                Event::Begin(id, begin) => {
                    if let Some(refused) = self.begin_request(id, begin) {
                        return refused;
                    }
                }
                Event::Content(n) => {
                    if self.params.append(self.incoming.content(n), limit).is_err() {
                        return self.refuse(ProtocolStatus::Overloaded, true);
                    }
                    self.incoming.use_content(n);
                }
                Event::EndOfStream => return self.ready(limit),
                Event::Abort => {
                    return self.refuse(ProtocolStatus::RequestComplete, !self.start.keep);
                }
                Event::Answer(answer) => return HeadEvent::Record { answer, close: false },
                Event::Broken(_) => return HeadEvent::Broken,
            }
        }
    }

    fn begin_request(&mut self, id: u16, begin: BeginRequest) -> Option<HeadEvent> {
        self.start = RequestStart { id, role: begin.role, keep: begin.keep_connection() };
        const RESPONDER: RoleString = RoleString::new(b"FCGI_ROLE=RESPONDER");
        const AUTHORIZER: RoleString = RoleString::new(b"FCGI_ROLE=AUTHORIZER");
        const FILTER: RoleString = RoleString::new(b"FCGI_ROLE=FILTER");
        let role = match begin.role {
            Role::Responder => &RESPONDER,
            Role::Authorizer => &AUTHORIZER,
            Role::Filter => &FILTER,
            Role::Unknown(_) => {
                return Some(self.refuse(ProtocolStatus::UnknownRole, !self.start.keep));
            }
        };
        match self.params.begin(role) {
            Ok(()) => None,
            Err(_) => Some(self.refuse(ProtocolStatus::Overloaded, true)),
        }
    }

    /// Ends a request that the program never sees.
    fn refuse(&mut self, status: ProtocolStatus, close: bool) -> HeadEvent {
        self.incoming.end_request();
        self.params.clear();
        HeadEvent::Record { answer: refusal(self.start.id, status), close }
    }

    fn ready(&mut self, limit: usize) -> HeadEvent {
        match self.params.decode(limit) {
            Ok(()) => {
                self.incoming.set_phase(Phase::Stdin);
                self.on_last = self.start.role != Role::Filter;
                HeadEvent::Ready(self.start)
            }
            Err(ParamsError::Cut) => {
                self.incoming.break_off(Fault::Protocol);
                HeadEvent::Broken
            }
            Err(ParamsError::TooMany | ParamsError::NoMemory) => {
                self.refuse(ProtocolStatus::Overloaded, true)
            }
        }
    }

    /// Reads on in the body.
    pub fn body(&mut self) -> Body {
        if !self.is_reading() {
            return Body::End;
        }
        match self.incoming.step() {
            Event::NeedMore => Body::NeedMore,
            Event::Content(n) => {
                let start = self.incoming.inbound().position();
                self.incoming.use_content(n);
                Body::Content(start..start + n)
            }
            Event::EndOfStream => {
                self.incoming.set_phase(Phase::Ended);
                Body::End
            }
            Event::Abort => {
                self.incoming.set_phase(Phase::Ended);
                self.on_last = true;
                Body::Fault(Fault::Protocol)
            }
            Event::Answer(answer) => Body::Answer(answer),
            Event::Broken(fault) => Body::Fault(fault),
            // Not while a request is active: the protocol layer routes it elsewhere.
            Event::Begin(..) => Body::Fault(Fault::Protocol),
        }
    }

    fn is_reading(&self) -> bool {
        matches!(
            self.incoming.active().map(|active| active.phase),
            Some(Phase::Stdin | Phase::Data)
        )
    }

    /// Goes on to the file of a Filter, from the end of its STDIN. False in any other state.
    pub fn start_data(&mut self) -> bool {
        let ended = matches!(self.incoming.active(), Some(a) if a.phase == Phase::Ended);
        let ok = ended && !self.on_last;
        if ok {
            self.incoming.set_phase(Phase::Data);
            self.on_last = true;
        }
        ok
    }

    /// Ends the request: what still comes for it is ignored. True when the web server has said all
    /// that it had to say, as far as can be told without receiving more: closing the connection
    /// now loses nothing.
    pub fn end(&mut self) -> bool {
        let complete = self.look_for_the_end();
        self.incoming.end_request();
        self.incoming.skip_rest();
        complete && self.incoming.is_idle() && self.incoming.is_sound()
    }

    fn look_for_the_end(&mut self) -> bool {
        loop {
            let Some(active) = self.incoming.active() else { return true };
            if active.phase == Phase::Ended && !self.start_data() {
                return true;
            }
            match self.incoming.step() {
                Event::Content(n) => self.incoming.use_content(n),
                Event::EndOfStream => self.incoming.set_phase(Phase::Ended),
                Event::Answer(_) => {}
                Event::NeedMore | Event::Abort | Event::Begin(..) | Event::Broken(_) => {
                    return false;
                }
            }
        }
    }

    /// Ends the request on a connection that stays: like [`Exchange::end`], without looking at
    /// what was received; that is for whoever takes the next request from it.
    pub fn end_kept(&mut self) {
        self.incoming.end_request();
        self.params.clear();
    }
}

impl Default for Exchange {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::record::{Header, RecordType};

    const LIMIT: usize = 1 << 20;

    fn record(kind: RecordType, id: u16, content: &[u8]) -> Vec<u8> {
        let mut header = Header::new(kind, id, content.len() as u16);
        header.padding_length = 3;
        [&header.to_bytes()[..], content, b"pad"].concat()
    }

    fn request(role: u8, flags: u8, body: &[u8]) -> Vec<u8> {
        [
            record(RecordType::BEGIN_REQUEST, 1, &[0, role, flags, 0, 0, 0, 0, 0]),
            record(RecordType::PARAMS, 1, b"\x01\x01ab"),
            record(RecordType::PARAMS, 1, b""),
            record(RecordType::STDIN, 1, body),
        ]
        .concat()
    }

    fn feed(exchange: &mut Exchange, bytes: &[u8]) {
        let room = exchange.incoming().room().unwrap();
        room[..bytes.len()].copy_from_slice(bytes);
        exchange.incoming().received(bytes.len());
    }

    fn read_all(exchange: &mut Exchange) -> Vec<u8> {
        let mut all = Vec::new();
        while let Body::Content(range) = exchange.body() {
            all.extend_from_slice(&exchange.memory().0[range]);
        }
        all
    }

    #[test]
    fn a_request_is_the_same_in_one_piece_and_byte_by_byte() {
        let bytes = [request(1, 1, b"hello"), record(RecordType::STDIN, 1, b"")].concat();
        for piece in [bytes.len(), 1, 7] {
            let mut exchange = Exchange::new();
            let (mut begin, mut body, mut ended) = (None, Vec::new(), false);
            for chunk in bytes.chunks(piece) {
                feed(&mut exchange, chunk);
                if begin.is_none() {
                    match exchange.head(LIMIT) {
                        HeadEvent::NeedMore => continue,
                        HeadEvent::Ready(b) => begin = Some(b),
                        other => panic!("{other:?}"),
                    }
                }
                body.extend(read_all(&mut exchange));
                ended = matches!(exchange.body(), Body::End);
            }
            assert_eq!(begin, Some(RequestStart { id: 1, role: Role::Responder, keep: true }));
            assert_eq!(body, b"hello");
            assert!(ended);
            // The role, the parameter, NULL.
            assert_eq!(exchange.params().len(), 3);
            assert!(exchange.end());
        }
    }

    #[test]
    fn an_unread_body_is_not_the_next_request() {
        let mut exchange = Exchange::new();
        let hidden = request(1, 0, b"");
        let late = record(RecordType::STDIN, 1, b"late");
        feed(&mut exchange, &[request(1, 1, &hidden), late, request(2, 1, b"")].concat());
        assert!(matches!(exchange.head(LIMIT), HeadEvent::Ready(_)));
        exchange.end_kept();
        match exchange.head(LIMIT) {
            HeadEvent::Ready(begin) => assert_eq!(begin.role, Role::Authorizer),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_end_of_the_input_is_found_in_what_was_received() {
        let whole = [request(1, 0, b"body"), record(RecordType::STDIN, 1, b"")].concat();
        for (bytes, complete) in [(&whole[..], true), (&whole[..whole.len() - 1], false)] {
            let mut exchange = Exchange::new();
            feed(&mut exchange, bytes);
            assert!(matches!(exchange.head(LIMIT), HeadEvent::Ready(_)));
            assert_eq!(exchange.end(), complete);
        }
    }

    #[test]
    fn heads_that_no_program_sees() {
        for (bytes, expected) in [
            (request(9, 0, b""), Some((3, true))),
            (request(9, 1, b""), Some((3, false))),
            (record(RecordType::BEGIN_REQUEST, 1, b"short"), None),
        ] {
            let mut exchange = Exchange::new();
            feed(&mut exchange, &bytes);
            match (exchange.head(LIMIT), expected) {
                (HeadEvent::Record { answer, close }, Some((status, closes))) => {
                    assert_eq!((answer.as_bytes()[12], close), (status, closes));
                }
                (HeadEvent::Broken, None) => {}
                other => panic!("{other:?}"),
            }
        }
        let mut exchange = Exchange::new();
        feed(&mut exchange, &request(1, 1, b""));
        assert!(matches!(exchange.head(3), HeadEvent::Record { close: true, .. }));
    }

    #[test]
    fn an_abort_ends_the_body_with_a_fault_once() {
        let mut exchange = Exchange::new();
        let abort = record(RecordType::ABORT_REQUEST, 1, b"");
        feed(&mut exchange, &[request(1, 1, b"x"), abort].concat());
        assert!(matches!(exchange.head(LIMIT), HeadEvent::Ready(_)));
        assert_eq!(read_all(&mut exchange), b"x");
        assert!(matches!(exchange.body(), Body::End));
        assert!(exchange.incoming().is_sound());
    }

    #[test]
    fn a_filter_reads_its_data_after_its_stdin() {
        let mut exchange = Exchange::new();
        let rest = [
            record(RecordType::STDIN, 1, b""),
            record(RecordType::DATA, 1, b"file"),
            record(RecordType::DATA, 1, b""),
        ];
        feed(&mut exchange, &[request(3, 0, b"in"), rest.concat()].concat());
        assert!(matches!(exchange.head(LIMIT), HeadEvent::Ready(_)));
        assert!(!exchange.start_data());
        assert_eq!(read_all(&mut exchange), b"in");
        assert!(exchange.start_data());
        assert_eq!(read_all(&mut exchange), b"file");
        assert!(!exchange.start_data());
        assert!(exchange.end());
    }

    #[test]
    fn a_filter_that_leaves_its_data_unread_is_not_at_its_end() {
        let mut exchange = Exchange::new();
        let all = [request(3, 0, b"in"), record(RecordType::STDIN, 1, b"")].concat();
        feed(&mut exchange, &all);
        assert!(matches!(exchange.head(LIMIT), HeadEvent::Ready(_)));
        assert_eq!(read_all(&mut exchange), b"in");
        assert!(!exchange.end());
    }
}
