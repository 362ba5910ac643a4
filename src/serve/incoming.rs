//! Decodes the records of one connection: from the bytes received to what they mean for its request.
//!
//! No I/O here: the owner of the descriptor receives into [`Incoming::room`] after
//! [`IncomingEvent::NeedMore`], and sends the record of [`IncomingEvent::Answer`].

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
    /// The bytes break the protocol.
    Protocol,
    /// The web server has aborted the request, or the connection has ended too early.
    Gone,
    /// A record of another protocol version.
    Version,
}

/// What comes next on a connection.
#[derive(Clone, Copy, Debug)]
pub enum IncomingEvent {
    /// Nothing, until more bytes are received.
    NeedMore,
    /// The beginning of a request: its id and the content of BEGIN_REQUEST.
    Begin(u16, BeginRequest),
    /// This many bytes of content of the stream that the active request reads. The caller takes all or some
    /// of them with [`Incoming::use_content`].
    Content(usize),
    /// The end of the stream that the active request reads.
    EndOfStream,
    /// The web server aborts the active request.
    Abort,
    /// A record to send in answer.
    Answer(Record),
    /// A fault, after which the connection cannot be read.
    Broken(Fault),
}

/// A record whose content is decoded in one piece.
#[derive(Clone, Copy, Debug)]
enum Whole {
    Begin(u16),
    GetValues,
}

/// The decoder of a connection's records, with the bytes received and not yet used.
#[derive(Debug, Default)]
pub struct Incoming {
    inbound: Inbound,
    reader: Reader,
    whole: Option<Whole>,
    active: Option<Active>,
    fault: Option<Fault>,
}

impl Incoming {
    /// A connection on which no bytes have been received.
    pub const fn new() -> Self {
        Self {
            inbound: Inbound::new(),
            reader: Reader::new(),
            whole: None,
            active: None,
            fault: None,
        }
    }

    /// Resets it to a connection on which no bytes have been received; keeps the memory.
    pub fn reset(&mut self) {
        self.inbound.reset();
        self.reader = Reader::new();
        (self.whole, self.active, self.fault) = (None, None, None);
    }

    /// The buffer of received bytes, for a caller that has offsets into it.
    pub fn inbound(&mut self) -> &mut Inbound {
        &mut self.inbound
    }

    /// Returns how much memory it takes, in bytes.
    pub fn size(&self) -> usize {
        self.inbound.size()
    }

    /// Returns room to receive into; never empty.
    pub fn room(&mut self) -> Result<&mut [u8], NoMemory> {
        self.inbound.room()
    }

    /// Notes the result of a receive call: `n` bytes, or 0 for the end.
    pub fn received(&mut self, n: usize) {
        if n == 0 {
            self.break_off(Fault::Gone);
        }
        self.inbound.received(n);
    }

    /// Notes that no more bytes can be received, or that they cannot be trusted. The first fault counts.
    pub fn break_off(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    /// Whether the connection can serve another request.
    pub const fn is_sound(&self) -> bool {
        self.fault.is_none()
    }

    /// Whether the web server has closed the connection.
    pub const fn is_cut_off(&self) -> bool {
        matches!(self.fault, Some(Fault::Gone))
    }

    /// Returns whether the web server aborts the active request in the bytes received and not yet used.
    pub fn has_abort(&self) -> bool {
        let (mut reader, mut rest) = (self.reader, self.inbound.unread());
        loop {
            let used = match reader.step(rest) {
                Step::NeedMore => return false,
                Step::Skip(n) => n,
                Step::Content(n) => {
                    reader.consume(n);
                    n
                }
                Step::Header(header) if route(&header, self.active) == Route::Abort => return true,
                Step::Header(_) => HEADER_LEN,
            };
            rest = rest.get(used..).unwrap_or_default();
        }
    }

    /// Whether nothing has to be remembered: no bytes, no request, no fault.
    pub const fn is_fresh(&self) -> bool {
        self.is_idle() && self.is_sound() && self.active.is_none()
    }

    /// Whether a header, a management record or the head of a request has arrived in part. The remaining
    /// body of a request that has ended does not count.
    pub const fn is_in_head(&self) -> bool {
        let in_header = self.reader.at_header() && !self.inbound.is_empty();
        in_header || self.whole.is_some() || self.active.is_some()
    }

    /// Whether no part of a record is left, wanted or not.
    pub const fn is_idle(&self) -> bool {
        self.inbound.is_empty() && self.reader.at_header()
    }

    /// The request that has begun and has not ended.
    pub const fn active(&self) -> Option<Active> {
        self.active
    }

    /// Sets how far the active request has come.
    pub fn set_phase(&mut self, phase: Phase) {
        if let Some(active) = &mut self.active {
            active.phase = phase;
        }
    }

    /// Ends the active request: records that still arrive for it are ignored.
    pub fn end_request(&mut self) {
        self.active = None;
        if self.whole.is_none() {
            self.reader.skip_content();
        }
    }

    /// Skips the received part of a record that is no longer wanted.
    pub fn skip_rest(&mut self) {
        while !self.reader.at_header() {
            let Step::Skip(n) = self.reader.step(self.inbound.unread()) else { return };
            self.inbound.advance(n);
        }
    }

    /// Skips received records of requests that have ended. Returns whether anything else has arrived.
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

    /// Decodes received bytes up to the next event.
    pub fn step(&mut self) -> IncomingEvent {
        loop {
            match self.reader.step(self.inbound.unread()) {
                Step::NeedMore => {
                    return self.fault.map_or(IncomingEvent::NeedMore, IncomingEvent::Broken);
                }
                Step::Skip(n) => self.inbound.advance(n),
                Step::Header(header) => {
                    self.inbound.advance(HEADER_LEN);
                    if let Some(event) = self.on_header(&header) {
                        return event;
                    }
                }
                Step::Content(n) => match self.whole {
                    None => return IncomingEvent::Content(n),
                    Some(_) if n < self.reader.content_left() => {
                        return self.fault.map_or(IncomingEvent::NeedMore, IncomingEvent::Broken);
                    }
                    Some(whole) => return self.on_whole(whole, n),
                },
            }
        }
    }

    fn on_header(&mut self, header: &Header) -> Option<IncomingEvent> {
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
            Route::Stream => empty.then_some(IncomingEvent::EndOfStream),
            Route::GetValues if empty => Some(self.values(0)),
            Route::GetValues => {
                self.whole = Some(Whole::GetValues);
                None
            }
            Route::Abort => self.skipping(IncomingEvent::Abort),
            Route::UnknownManagement(byte) => {
                self.skipping(IncomingEvent::Answer(writer::unknown_type_record(byte).into()))
            }
            Route::CannotMultiplex => {
                let status = ProtocolStatus::CantMpxConn;
                self.skipping(IncomingEvent::Answer(refusal(id, status)))
            }
            Route::BegunTwice => Some(self.refuse(Fault::Protocol)),
            Route::UnsupportedVersion => Some(self.refuse(Fault::Version)),
            Route::Ignore => {
                self.reader.skip_content();
                None
            }
        }
    }

    /// Skips the content of the record, which `event` does not need.
    fn skipping(&mut self, event: IncomingEvent) -> Option<IncomingEvent> {
        self.reader.skip_content();
        Some(event)
    }

    /// Drops all received bytes: nothing after a fault can be understood.
    fn refuse(&mut self, fault: Fault) -> IncomingEvent {
        self.break_off(fault);
        self.inbound.advance(usize::MAX);
        self.reader = Reader::new();
        IncomingEvent::Broken(fault)
    }

    fn on_whole(&mut self, whole: Whole, n: usize) -> IncomingEvent {
        self.whole = None;
        let Whole::Begin(id) = whole else { return self.values(n) };
        let Some(body) = self.inbound.unread().first_chunk::<BODY_LEN>() else {
            return self.refuse(Fault::Protocol);
        };
        let begin = BeginRequest::from_bytes(*body);
        self.use_content(BODY_LEN);
        self.reader.skip_content();
        self.active = Some(Active { id, phase: Phase::Params });
        IncomingEvent::Begin(id, begin)
    }

    /// Answers GET_VALUES, whose content is the next `n` bytes.
    fn values(&mut self, n: usize) -> IncomingEvent {
        let result = get_values_result(self.content(n), Capacity::ONE);
        self.use_content(n);
        IncomingEvent::Answer(result)
    }

    /// The next `n` bytes of content, as announced by [`IncomingEvent::Content`].
    pub fn content(&self, n: usize) -> &[u8] {
        self.inbound.unread().get(..n).unwrap_or_default()
    }

    /// Removes `n` bytes of content.
    pub fn use_content(&mut self, n: usize) {
        self.reader.consume(n);
        self.inbound.advance(n);
    }

    /// Returns how many bytes of content the caller may receive straight into its own memory: the rest of
    /// the current record if the buffer is empty, else 0.
    pub fn direct(&self) -> usize {
        let possible = self.inbound.is_empty() && self.whole.is_none() && self.is_sound();
        if possible { self.reader.content_left() } else { 0 }
    }

    /// Notes that `direct` bytes of content were received straight into the caller's memory, and `more`
    /// bytes after them into [`Incoming::room`].
    pub fn received_directly(&mut self, direct: usize, more: usize) {
        self.reader.consume(direct);
        self.inbound.received(more);
    }
}

/// The END_REQUEST record for a request that the program never sees.
pub(crate) fn refusal(id: u16, status: ProtocolStatus) -> Record {
    writer::end_request(id, EndRequest { app_status: 0, protocol_status: status }).into()
}
