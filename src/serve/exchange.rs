//! One request on a connection: its head (BEGIN_REQUEST and all parameters), its body, its end.
//!
//! No I/O here; see [`super::incoming`].

use std::ops::Range;
use std::sync::atomic::AtomicPtr;

use super::config;
use super::incoming::{Fault, Incoming, IncomingEvent, refusal};
use super::params::{KEPT, Params, ParamsError, RoleString};
use crate::os::io::Then;
use crate::protocol::body::{BeginRequest, ProtocolStatus, Role};
use crate::protocol::route::Phase;
use crate::protocol::writer::Record;

const RESPONDER: RoleString = RoleString::new(b"FCGI_ROLE=RESPONDER");
const AUTHORIZER: RoleString = RoleString::new(b"FCGI_ROLE=AUTHORIZER");
const FILTER: RoleString = RoleString::new(b"FCGI_ROLE=FILTER");

/// The content of BEGIN_REQUEST, with the request's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestStart {
    /// The request's id.
    pub id: u16,
    /// The role that the program is to play; never unknown.
    pub role: Role,
    /// Whether the connection stays open after the request.
    pub keep: bool,
}

/// What comes next while the head of a request is read.
#[derive(Clone, Copy, Debug)]
pub enum HeadEvent {
    /// Nothing, until more bytes are received.
    NeedMore,
    /// A record to send.
    Answer {
        /// The record.
        record: Record,
        /// What happens to the connection when the record is sent.
        then: Then,
    },
    /// The end of the head: the program can have the request.
    Ready(RequestStart),
    /// A fault, after which the connection cannot be used.
    Broken,
}

/// What comes next while the body of a request is read.
#[derive(Clone, Debug)]
pub enum BodyEvent {
    /// Nothing, until more bytes are received.
    NeedMore,
    /// Content, at these offsets of [`Exchange::memory`]; it is already marked as read.
    Content(Range<usize>),
    /// The end of the stream.
    End,
    /// A record to send.
    Answer(Record),
    /// A fault, which cuts the stream off.
    Fault(Fault),
}

/// One request on a connection, with what was received there.
#[derive(Debug)]
pub struct Exchange {
    incoming: Incoming,
    params: Params,
    start: RequestStart,
    /// Whether the current input stream, which may have ended, is the request's last one.
    on_last: bool,
    /// Whether the web server has aborted the request.
    is_aborted: bool,
}

impl Exchange {
    /// An exchange without a request, on a connection on which no bytes have been received.
    pub const fn new() -> Self {
        Self {
            incoming: Incoming::new(),
            params: Params::new(),
            start: RequestStart { id: 0, role: Role::Responder, keep: false },
            on_last: true,
            is_aborted: false,
        }
    }

    /// Whether the web server does not want the response any more, as far as its records were decoded.
    pub const fn is_gone(&self) -> bool {
        self.is_aborted || self.incoming.is_cut_off()
    }

    /// Whether the peer expects the connection to stay open after the request.
    pub const fn is_to_stay(&self) -> bool {
        self.start.keep
    }

    /// Resets it to a new exchange; keeps the memory.
    pub fn reset(&mut self) {
        self.incoming.reset();
        self.params.clear();
        self.start.keep = false;
    }

    /// Frees memory that a parked connection does not need.
    pub fn shrink(&mut self) {
        self.incoming.inbound().shrink();
    }

    /// Returns how much memory it holds beyond `KEPT`, in bytes: what counts for the limit.
    pub fn held(&self) -> usize {
        (self.params.size() + self.incoming.size()).saturating_sub(KEPT)
    }

    /// Ends the request whose head holds too much memory, and returns the END_REQUEST record for it. `None`
    /// if no request has begun: then a management record holds the memory.
    pub fn overload(&mut self) -> Option<Record> {
        let id = self.incoming.active()?.id;
        self.incoming.end_request();
        Some(refusal(id, ProtocolStatus::Overloaded))
    }

    /// The decoder of the connection's records.
    pub fn incoming(&mut self) -> &mut Incoming {
        &mut self.incoming
    }

    /// Returns the pointers to the parameters' strings, with NULL after the last, once the head was
    /// [`HeadEvent::Ready`]. They are valid until the exchange is used for another request.
    pub fn params(&mut self) -> &mut [AtomicPtr<u8>] {
        self.params.pointers()
    }

    /// Returns the parameters' strings.
    pub const fn strings(&self) -> &Params {
        &self.params
    }

    /// Exchanges the parameters with others: a caller may borrow them while it reads the body. It puts them back
    /// at the end, so that the next request finds their memory.
    pub(crate) fn swap_params(&mut self, params: &mut Params) {
        std::mem::swap(&mut self.params, params);
    }

    /// Returns the buffer that [`BodyEvent::Content`] points into, and the offset of its first unread byte.
    pub fn memory(&mut self) -> (&mut Vec<u8>, usize) {
        let inbound = self.incoming.inbound();
        let position = inbound.position();
        (inbound.memory(), position)
    }

    /// Decodes more of the head of a request. Refuses more than `limit` bytes of parameters.
    pub fn head_event(&mut self, limit: usize) -> HeadEvent {
        loop {
            match self.incoming.step() {
                IncomingEvent::NeedMore => return HeadEvent::NeedMore,
                IncomingEvent::Begin(id, begin) => {
                    if let Some(refused) = self.begin_request(id, begin) {
                        return refused;
                    }
                }
                IncomingEvent::Content(n) => {
                    if self.params.append(self.incoming.content(n), limit).is_err() {
                        return self.refuse(ProtocolStatus::Overloaded, Then::ShutDown);
                    }
                    self.incoming.use_content(n);
                }
                IncomingEvent::EndOfStream => return self.ready(limit),
                IncomingEvent::Abort => {
                    return self.refuse(ProtocolStatus::RequestComplete, self.then_as_asked());
                }
                IncomingEvent::Answer(record) => {
                    return HeadEvent::Answer { record, then: Then::KeepOpen };
                }
                IncomingEvent::Broken(_) => return HeadEvent::Broken,
            }
        }
    }

    fn begin_request(&mut self, id: u16, begin: BeginRequest) -> Option<HeadEvent> {
        let keep = begin.keep_connection() && config::get().keep_connections;
        self.start = RequestStart { id, role: begin.role, keep };
        let role = match begin.role {
            Role::Responder => &RESPONDER,
            Role::Authorizer => &AUTHORIZER,
            Role::Filter => &FILTER,
            Role::Unknown(_) => {
                return Some(self.refuse(ProtocolStatus::UnknownRole, self.then_as_asked()));
            }
        };
        match self.params.begin(role) {
            Ok(()) => None,
            Err(_) => Some(self.refuse(ProtocolStatus::Overloaded, Then::ShutDown)),
        }
    }

    /// What the web server wants to happen to the connection after the request.
    const fn then_as_asked(&self) -> Then {
        if self.start.keep { Then::KeepOpen } else { Then::ShutDown }
    }

    /// Ends a request that the program never sees.
    fn refuse(&mut self, status: ProtocolStatus, then: Then) -> HeadEvent {
        self.incoming.end_request();
        self.params.clear();
        HeadEvent::Answer { record: refusal(self.start.id, status), then }
    }

    fn ready(&mut self, limit: usize) -> HeadEvent {
        match self.params.decode(limit) {
            Ok(()) => {
                self.incoming.set_phase(Phase::Stdin);
                self.on_last = self.start.role != Role::Filter;
                self.is_aborted = false;
                HeadEvent::Ready(self.start)
            }
            Err(ParamsError::Cut) => {
                self.incoming.break_off(Fault::Protocol);
                HeadEvent::Broken
            }
            Err(ParamsError::TooMany | ParamsError::NoMemory) => {
                self.refuse(ProtocolStatus::Overloaded, Then::ShutDown)
            }
        }
    }

    /// Decodes more of the body.
    pub fn body_event(&mut self) -> BodyEvent {
        if !self.is_reading() {
            return BodyEvent::End;
        }
        match self.incoming.step() {
            IncomingEvent::NeedMore => BodyEvent::NeedMore,
            IncomingEvent::Content(n) => {
                let start = self.incoming.inbound().position();
                self.incoming.use_content(n);
                BodyEvent::Content(start..start + n)
            }
            IncomingEvent::EndOfStream => {
                self.incoming.set_phase(Phase::Ended);
                BodyEvent::End
            }
            IncomingEvent::Abort => {
                self.incoming.set_phase(Phase::Ended);
                (self.on_last, self.is_aborted) = (true, true);
                BodyEvent::Fault(Fault::Gone)
            }
            IncomingEvent::Answer(answer) => BodyEvent::Answer(answer),
            IncomingEvent::Broken(fault) => BodyEvent::Fault(fault),
            // Does not happen: while a request is active, `route` refuses another one.
            IncomingEvent::Begin(..) => BodyEvent::Fault(Fault::Protocol),
        }
    }

    fn is_reading(&self) -> bool {
        matches!(
            self.incoming.active().map(|active| active.phase),
            Some(Phase::Stdin | Phase::Data)
        )
    }

    /// Moves from the end of a Filter's STDIN on to its file. Returns false in any other state.
    pub fn start_data(&mut self) -> bool {
        let ended = matches!(self.incoming.active(), Some(a) if a.phase == Phase::Ended);
        let ok = ended && !self.on_last;
        if ok {
            self.incoming.set_phase(Phase::Data);
            self.on_last = true;
        }
        ok
    }

    /// Ends the request: records that still arrive for it are ignored. Returns true if all input has been
    /// received, so that closing now loses nothing. Does not receive to find out.
    pub fn end(&mut self) -> bool {
        let complete = self.find_end_of_input();
        self.incoming.end_request();
        self.incoming.skip_rest();
        complete && self.incoming.is_idle() && self.incoming.is_sound()
    }

    /// Returns whether the end of the last input stream is among the bytes received.
    fn find_end_of_input(&mut self) -> bool {
        loop {
            let Some(active) = self.incoming.active() else { return true };
            if active.phase == Phase::Ended && !self.start_data() {
                return true;
            }
            match self.incoming.step() {
                IncomingEvent::Content(n) => self.incoming.use_content(n),
                IncomingEvent::EndOfStream => self.incoming.set_phase(Phase::Ended),
                IncomingEvent::Answer(_) => {}
                IncomingEvent::NeedMore
                | IncomingEvent::Abort
                | IncomingEvent::Begin(..)
                | IncomingEvent::Broken(_) => {
                    return false;
                }
            }
        }
    }

    /// Ends the request on a connection that stays open. Unlike [`Exchange::end`], leaves the received bytes
    /// to the reader of the next request.
    #[inline]
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

    /// Reads all content that has arrived. Returns it, and the event after it.
    fn read_all(exchange: &mut Exchange) -> (Vec<u8>, BodyEvent) {
        let mut all = Vec::new();
        loop {
            match exchange.body_event() {
                BodyEvent::Content(range) => all.extend_from_slice(&exchange.memory().0[range]),
                event => return (all, event),
            }
        }
    }

    #[test]
    fn a_request_is_the_same_in_one_piece_and_byte_by_byte() {
        let bytes = [request(1, 1, b"hello"), record(RecordType::STDIN, 1, b"")].concat();
        for piece in [bytes.len(), 1, 7] {
            let mut exchange = Exchange::new();
            let (mut start, mut body, mut ended) = (None, Vec::new(), false);
            for chunk in bytes.chunks(piece) {
                feed(&mut exchange, chunk);
                if start.is_none() {
                    match exchange.head_event(LIMIT) {
                        HeadEvent::NeedMore => continue,
                        HeadEvent::Ready(ready) => start = Some(ready),
                        other => panic!("{other:?}"),
                    }
                }
                let (content, event) = read_all(&mut exchange);
                body.extend(content);
                ended = matches!(event, BodyEvent::End);
            }
            assert_eq!(start, Some(RequestStart { id: 1, role: Role::Responder, keep: true }));
            assert_eq!(body, b"hello");
            assert!(ended);
            // The role, the parameter and NULL.
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
        assert!(matches!(exchange.head_event(LIMIT), HeadEvent::Ready(_)));
        exchange.end_kept();
        match exchange.head_event(LIMIT) {
            HeadEvent::Ready(start) => assert_eq!(start.role, Role::Authorizer),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_end_of_the_input_is_found_in_what_was_received() {
        let whole = [request(1, 0, b"body"), record(RecordType::STDIN, 1, b"")].concat();
        for (bytes, complete) in [(&whole[..], true), (&whole[..whole.len() - 1], false)] {
            let mut exchange = Exchange::new();
            feed(&mut exchange, bytes);
            assert!(matches!(exchange.head_event(LIMIT), HeadEvent::Ready(_)));
            assert_eq!(exchange.end(), complete);
        }
    }

    #[test]
    fn heads_that_no_program_sees() {
        for (bytes, expected) in [
            (request(9, 0, b""), Some((3, Then::ShutDown))),
            (request(9, 1, b""), Some((3, Then::KeepOpen))),
            (record(RecordType::BEGIN_REQUEST, 1, b"short"), None),
        ] {
            let mut exchange = Exchange::new();
            feed(&mut exchange, &bytes);
            match (exchange.head_event(LIMIT), expected) {
                (HeadEvent::Answer { record, then }, Some(expected)) => {
                    assert_eq!((record.as_bytes()[12], then), expected);
                }
                (HeadEvent::Broken, None) => {}
                other => panic!("{other:?}"),
            }
        }
        let mut exchange = Exchange::new();
        feed(&mut exchange, &request(1, 1, b""));
        assert!(matches!(exchange.head_event(3), HeadEvent::Answer { then: Then::ShutDown, .. }));
    }

    #[test]
    fn an_abort_ends_the_body_with_a_fault_once() {
        let mut exchange = Exchange::new();
        let abort = record(RecordType::ABORT_REQUEST, 1, b"");
        feed(&mut exchange, &[request(1, 1, b"x"), abort].concat());
        assert!(matches!(exchange.head_event(LIMIT), HeadEvent::Ready(_)));
        let (content, event) = read_all(&mut exchange);
        assert_eq!(content, b"x");
        assert!(matches!(event, BodyEvent::Fault(Fault::Gone)), "{event:?}");
        assert!(matches!(exchange.body_event(), BodyEvent::End));
        // The fault is the stream's, not the connection's.
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
        assert!(matches!(exchange.head_event(LIMIT), HeadEvent::Ready(_)));
        assert!(!exchange.start_data());
        assert_eq!(read_all(&mut exchange).0, b"in");
        assert!(exchange.start_data());
        assert_eq!(read_all(&mut exchange).0, b"file");
        assert!(!exchange.start_data());
        assert!(exchange.end());
    }

    #[test]
    fn a_filter_that_leaves_its_data_unread_is_not_at_its_end() {
        let mut exchange = Exchange::new();
        let all = [request(3, 0, b"in"), record(RecordType::STDIN, 1, b"")].concat();
        feed(&mut exchange, &all);
        assert!(matches!(exchange.head_event(LIMIT), HeadEvent::Ready(_)));
        assert_eq!(read_all(&mut exchange).0, b"in");
        assert!(!exchange.end());
    }
}
