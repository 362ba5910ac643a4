//! One connection: the bytes received, and what the records in them mean for its request.
//!
//! No I/O here: whoever owns the descriptor receives into [`Incoming::room`] when
//! [`Event::NeedMore`] asks for it, and sends what [`Event::Answer`] holds.

use super::inbound::Inbound;
use crate::os::memory::NoMemory;
use crate::protocol::body::{BODY_LEN, BeginRequest, EndRequest, ProtocolStatus};
use crate::protocol::management::{Capacity, get_values_result};
use crate::protocol::reader::{Reader, Step};
use crate::protocol::record::{HEADER_LEN, Header};
use crate::protocol::route::{Active, Phase, Route, route};
use crate::protocol::writer::{self, Record};

/// Why a connection cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The bytes break the protocol, or end where they must not.
    Protocol,
    /// A record of another protocol version.
    Version,
}

/// What comes next on a connection.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// More bytes have to be received first.
    NeedMore,
    /// A request begins, with this id.
    Begin(u16, BeginRequest),
    /// So many bytes of content of the stream that the active request reads; to be used in whole or
    /// in part with [`Incoming::use_content`].
    Content(usize),
    /// The stream that the active request reads has ended.
    EndOfStream,
    /// The web server gives the active request up.
    Abort,
    /// This record is to be sent.
    Answer(Record),
    /// Nothing more can be read.
    Broken(Fault),
}

/// A record whose content is only of use in one piece.
#[derive(Clone, Copy, Debug)]
enum Whole {
    Begin(u16),
    GetValues,
}

/// The reading side of a connection.
#[derive(Debug, Default)]
pub struct Incoming {
    inbound: Inbound,
    reader: Reader,
    whole: Option<Whole>,
    active: Option<Active>,
    fault: Option<Fault>,
}

impl Incoming {
    /// A connection on which nothing was received.
    pub const fn new() -> Self {
        Self {
            inbound: Inbound::new(),
            reader: Reader::new(),
            whole: None,
            active: None,
            fault: None,
        }
    }

    /// Makes it a connection on which nothing was received; keeps the memory.
    pub fn reset(&mut self) {
        self.inbound.reset();
        self.reader = Reader::new();
        (self.whole, self.active, self.fault) = (None, None, None);
    }

    /// The buffer of received bytes, for a caller that was given offsets into it.
    pub fn inbound(&mut self) -> &mut Inbound {
        &mut self.inbound
    }

    /// How much memory it takes, in bytes.
    pub fn size(&self) -> usize {
        self.inbound.size()
    }

    /// Room to receive into; never empty.
    pub fn room(&mut self) -> Result<&mut [u8], NoMemory> {
        self.inbound.room()
    }

    /// Takes note of what a receive call gave: `n` bytes, 0 for the end.
    pub fn received(&mut self, n: usize) {
        if n == 0 {
            self.break_off(Fault::Protocol);
        }
        self.inbound.received(n);
    }

    /// Nothing more can come, or be trusted.
    pub fn break_off(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    /// Whether the connection can serve another request.
    pub const fn is_sound(&self) -> bool {
        self.fault.is_none()
    }

    /// Whether there is nothing to remember: no byte, no request, no fault.
    pub const fn is_fresh(&self) -> bool {
        self.is_idle() && self.is_sound() && self.active.is_none()
    }

    /// Whether part of something was received that is wanted in whole: of a header, of a management
    /// record, of a request. Not what is left of the body of a request that has ended.
    pub const fn is_in_head(&self) -> bool {
        let in_header = self.reader.at_header() && !self.inbound.is_empty();
        in_header || self.whole.is_some() || self.active.is_some()
    }

    /// Whether nothing of a record, needed or not, waits here.
    pub const fn is_idle(&self) -> bool {
        self.inbound.is_empty() && self.reader.at_header()
    }

    /// The request that has begun and not ended.
    pub const fn active(&self) -> Option<Active> {
        self.active
    }

    /// Sets how far the active request has come.
    pub fn set_phase(&mut self, phase: Phase) {
        if let Some(active) = &mut self.active {
            active.phase = phase;
        }
    }

    /// The active request has ended: whatever still comes for it is ignored.
    pub fn end_request(&mut self) {
        self.active = None;
        if self.whole.is_none() {
            self.reader.skip_content();
        }
    }

    /// Skips what was received of a record that nobody wants any more.
    pub fn skip_rest(&mut self) {
        while !self.reader.at_header() {
            let Step::Skip(n) = self.reader.step(self.inbound.unread()) else { return };
            self.inbound.advance(n);
        }
    }

    /// Skips what was received of requests that have ended. Returns whether something else has come.
    pub fn skip_ended(&mut self) -> bool {
        loop {
            let before = self.reader;
            match self.reader.step(self.inbound.unread()) {
                Step::NeedMore => return !self.inbound.is_empty() || self.fault.is_some(),
                Step::Skip(n) => self.inbound.advance(n),
                Step::Header(header) if route(&header, self.active) == Route::Ignore => {
                    self.inbound.advance(HEADER_LEN);
                    self.reader.skip_content();
                }
                Step::Header(_) | Step::Content(_) => {
                    self.reader = before;
                    return true;
                }
            }
        }
    }

    /// Looks at what was received and says what comes next.
    pub fn step(&mut self) -> Event {
        loop {
            match self.reader.step(self.inbound.unread()) {
                Step::NeedMore => return self.fault.map_or(Event::NeedMore, Event::Broken),
                Step::Skip(n) => self.inbound.advance(n),
                Step::Header(header) => {
                    self.inbound.advance(HEADER_LEN);
                    if let Some(event) = self.on_header(&header) {
                        return event;
                    }
                }
                Step::Content(n) => match self.whole {
                    None => return Event::Content(n),
                    Some(_) if n < self.reader.content_left() => {
                        return self.fault.map_or(Event::NeedMore, Event::Broken);
                    }
                    Some(whole) => return self.on_whole(whole, n),
                },
            }
        }
    }

    fn on_header(&mut self, header: &Header) -> Option<Event> {
        let id = header.request_id;
        let empty = header.content_length == 0;
        match route(header, self.active) {
            Route::Begin if usize::from(header.content_length) < BODY_LEN => {
                Some(self.refuse(Fault::Protocol))
            }
            Route::Begin => {
                self.whole = Some(Whole::Begin(id));
                None
            }
            Route::Stream => empty.then_some(Event::EndOfStream),
            Route::GetValues if empty => Some(self.values(0)),
            Route::GetValues => {
                self.whole = Some(Whole::GetValues);
                None
            }
            Route::Abort => self.skipping(Event::Abort),
            Route::UnknownManagement(byte) => {
                self.skipping(Event::Answer(writer::unknown_type_record(byte).into()))
            }
            Route::CannotMultiplex => {
                let status = ProtocolStatus::CantMpxConn;
                self.skipping(Event::Answer(refusal(id, status)))
            }
            Route::BegunTwice => Some(self.refuse(Fault::Protocol)),
            Route::UnsupportedVersion => Some(self.refuse(Fault::Version)),
            Route::Ignore => {
                self.reader.skip_content();
                None
            }
        }
    }

    fn skipping(&mut self, event: Event) -> Option<Event> {
        self.reader.skip_content();
        Some(event)
    }

    /// Nothing behind this point can be understood.
    fn refuse(&mut self, fault: Fault) -> Event {
        self.break_off(fault);
        self.inbound.advance(usize::MAX);
        self.reader = Reader::new();
        Event::Broken(fault)
    }

    fn on_whole(&mut self, whole: Whole, n: usize) -> Event {
        self.whole = None;
        let Whole::Begin(id) = whole else { return self.values(n) };
        let Some(body) = self.inbound.unread().first_chunk::<BODY_LEN>() else {
            return self.refuse(Fault::Protocol);
        };
        let begin = BeginRequest::from_bytes(*body);
        self.use_content(BODY_LEN);
        self.reader.skip_content();
        self.active = Some(Active { id, phase: Phase::Params });
        Event::Begin(id, begin)
    }

    /// Answers GET_VALUES, whose content is the next `n` bytes.
    fn values(&mut self, n: usize) -> Event {
        let result = get_values_result(self.content(n), Capacity::ONE);
        self.use_content(n);
        Event::Answer(result)
    }

    /// The next `n` bytes of content, from [`Event::Content`].
    pub fn content(&self, n: usize) -> &[u8] {
        self.inbound.unread().get(..n).unwrap_or_default()
    }

    /// Uses up `n` bytes of content.
    pub fn use_content(&mut self, n: usize) {
        self.reader.consume(n);
        self.inbound.advance(n);
    }

    /// Bytes of content that can go from the socket straight into the caller's memory: nothing is
    /// left in the buffer, and the current record has more to give.
    pub fn direct(&self) -> usize {
        let possible = self.inbound.is_empty() && self.whole.is_none() && self.is_sound();
        if possible { self.reader.content_left() } else { 0 }
    }

    /// Takes note that `direct` bytes of content went straight into the caller's memory, and
    /// `more` bytes behind them into [`Incoming::room`].
    pub fn received_directly(&mut self, direct: usize, more: usize) {
        self.reader.consume(direct);
        self.inbound.received(more);
    }
}

/// An END_REQUEST record for a request that the program never sees.
pub fn refusal(id: u16, status: ProtocolStatus) -> Record {
    writer::end_request(id, EndRequest { app_status: 0, protocol_status: status }).into()
}
