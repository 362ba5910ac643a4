//! Output streams: the empty procedure of STDOUT, STDERR and of FCGX_CreateWriter's streams.

use std::ffi::c_int;
use std::io;
use std::mem::offset_of;
use std::ptr;
use std::slice;

use super::layout::{FCGX_Request, FCGX_Stream, NO_STREAM};
use super::private_data::{OUTPUT, PrivateData};
use super::stream::Stream;
use crate::os::descriptor::shutdown_write;
use crate::os::error::errno_of;
use crate::os::io::Then;
use crate::os::memory::NoMemory;
use crate::protocol::body::{EndRequest, ProtocolStatus};
use crate::protocol::record::RecordType;
use crate::protocol::writer::end_request;
use crate::serve::outbound::{ERROR_CONTENT, FIRST_CONTENT, Outbound, RecordStream, send_both};
use crate::serve::sending::Sending;

/// An output stream, and what stands behind it.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Output {
    pub(super) writer: Writer,
    pub(super) stream: FCGX_Stream,
}

impl Output {
    /// For no request yet.
    pub(super) const fn new() -> Self {
        Self { writer: Writer::new(), stream: NO_STREAM }
    }

    /// Opens the stream, at the start of the open record.
    ///
    /// # Safety
    ///
    /// `output` points to an output that stays where it is as long as the stream is used, and that
    /// nothing else reaches during the call.
    pub(super) unsafe fn open(output: *mut Self) {
        // SAFETY: the caller's promise; each reference ends with its line.
        unsafe {
            (*output).stream = FCGX_Stream {
                isClosed: 0,
                emptyBuffProc: Some(empty),
                data: (&raw mut (*output).writer).cast(),
                ..NO_STREAM
            };
            if let Some(stream) = Stream::new(&raw mut (*output).stream) {
                (*output).writer.set_cursor(stream);
            }
        }
    }
}

/// What stands behind an output stream.
#[repr(C)]
#[derive(Debug)]
pub struct Writer {
    /// Its request, if it has one; that ends when its last writer does.
    data: PrivateData,
    /// Where the records go that belong to no request: a descriptor of the program's.
    descriptor: c_int,
    /// For all threads that send to the same connection; it lives as long as the writer.
    sending: *const Sending,
    outbound: Outbound,
    stream: RecordStream,
    /// Whether it has had any content.
    written: bool,
    /// Whether nothing may follow: its end is there, or what came before it has not been sent in
    /// whole.
    ended: bool,
}

impl Writer {
    /// A writer that sends nowhere yet.
    pub const fn new() -> Self {
        Self {
            data: PrivateData::new(&OUTPUT),
            descriptor: -1,
            sending: ptr::null(),
            outbound: Outbound::new(),
            stream: RecordStream { kind: RecordType::STDOUT, id: 0 },
            written: false,
            ended: false,
        }
    }

    /// Gives it the sending side of its connection.
    ///
    /// # Safety
    ///
    /// `sending` lives as long as the writer.
    pub(super) unsafe fn sends_by(&mut self, sending: *const Sending) {
        self.sending = sending;
    }

    /// Makes it a writer to a descriptor, with records of `content` bytes.
    pub(super) fn for_descriptor(
        &mut self,
        fd: c_int,
        stream: RecordStream,
        content: usize,
    ) -> Result<(), NoMemory> {
        self.descriptor = fd;
        self.stream = stream;
        self.outbound.allocate(content)
    }

    /// Makes it the writer of an accepted request.
    ///
    /// # Safety
    ///
    /// `request` stays where it is until it is finished.
    pub(super) unsafe fn begin(&mut self, request: *mut FCGX_Request, stream: RecordStream) {
        self.data.request = request;
        self.stream = stream;
        (self.written, self.ended) = (false, false);
        self.outbound.reuse();
    }

    /// Gets a first buffer, if it has none. Programs write into the one of STDOUT without asking;
    /// that of STDERR comes with the first write.
    pub(super) fn prepare(&mut self) -> Result<(), NoMemory> {
        let content = self.first_content();
        if self.outbound.capacity() > 0 { Ok(()) } else { self.outbound.allocate(content) }
    }

    fn is_error_stream(&self) -> bool {
        self.has_request() && self.stream.kind == RecordType::STDERR
    }

    fn first_content(&self) -> usize {
        if self.is_error_stream() { ERROR_CONTENT } else { FIRST_CONTENT }
    }

    /// Forgets the request.
    pub(super) fn release(&mut self) {
        self.outbound.release();
    }

    /// The request it belongs to; NULL for none.
    pub(super) fn request(&self) -> *mut FCGX_Request {
        self.data.request
    }

    fn has_request(&self) -> bool {
        !self.data.request.is_null()
    }

    fn descriptor(&self) -> c_int {
        let request = self.data.request;
        if request.is_null() {
            return self.descriptor;
        }
        // SAFETY: the request was accepted into this place, and must not move before it ends. Only
        // the one field is read: another thread may be writing others.
        unsafe { (*request).ipcFd }
    }

    /// Runs `send` on the writer and its descriptor while no other thread sends to the same connection.
    #[inline]
    fn exclusively<T>(
        &mut self,
        send: impl FnOnce(&mut Self, c_int) -> io::Result<T>,
    ) -> io::Result<T> {
        let fd = self.descriptor();
        // SAFETY: `sends_by` was promised that this lives as long as the writer; it is not part of it,
        // and for all threads.
        let sending = unsafe { self.sending.as_ref() };
        match sending {
            Some(sending) => sending.exclusively(fd, || {
                let result = send(self, fd);
                if result.is_err() {
                    self.cut_off();
                }
                result
            }),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Puts the stream's cursor at the start of the open record.
    pub(super) fn set_cursor(&mut self, stream: Stream) {
        let (start, end) = self.outbound.window();
        let base = self.outbound.memory().as_mut_ptr();
        stream.set_writable(base.wrapping_add(start), base.wrapping_add(end));
    }

    /// Content bytes that the program has put into the open record.
    fn used(&mut self, stream: Stream) -> usize {
        let (start, end) = self.outbound.window();
        let base = self.outbound.memory().as_mut_ptr() as usize;
        (stream.next_write() as usize).saturating_sub(base + start).min(end - start)
    }

    /// Seals what the program has written.
    fn seal(&mut self, stream: Stream) {
        let used = self.used(stream);
        self.outbound.seal(self.stream, used);
        self.written |= used > 0;
    }

    /// Seals what was written and adds what ends the stream, and the request with its last
    /// writer. STDERR has an end only if it was used.
    fn seal_end(&mut self, stream: Stream) {
        self.seal(stream);
        self.ended = true;
        if self.written || self.stream.kind != RecordType::STDERR {
            self.outbound.end(self.stream);
        }
        let request = self.data.request;
        if !request.is_null() {
            // SAFETY: as in `descriptor`. Threads that end streams of one request at the same time
            // take turns: `exclusively`.
            let (writers, status) = unsafe {
                (*request).nWriters -= 1;
                ((*request).nWriters, (*request).appStatus)
            };
            if writers == 0 {
                let protocol_status = ProtocolStatus::RequestComplete;
                let end = EndRequest { app_status: status as u32, protocol_status };
                self.outbound.append(&end_request(self.stream.id, end));
            }
        }
    }

    /// A record may have been sent in part. Nothing can follow it, of the other stream either: the
    /// peer gets to see the end.
    fn cut_off(&mut self) {
        self.ended = true;
        if self.has_request() {
            shutdown_write(self.descriptor());
        }
    }
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether our procedure empties the stream: then it carries its [`Writer`].
pub(super) fn is_emptied_by_us(stream: Stream) -> bool {
    type Proc = unsafe extern "C" fn(*mut FCGX_Stream, c_int);
    // SAFETY: whoever made the Stream promised that the struct is there.
    let proc = unsafe { (*stream.as_ptr()).emptyBuffProc };
    proc.is_some_and(|proc| ptr::fn_addr_eq(proc, empty as Proc))
}

/// The output behind a stream of ours, also if the program has put a procedure of its own around ours;
/// NULL for any other stream.
pub(super) fn output_of(stream: Stream) -> *mut Output {
    let stream_ptr = stream.as_ptr();
    if is_emptied_by_us(stream) {
        // SAFETY: as in `is_emptied_by_us`.
        return unsafe { (*stream_ptr).data.cast() };
    }
    // SAFETY: as above; the stream lies behind the private data.
    unsafe { PrivateData::before(stream_ptr, offset_of!(Output, stream), &OUTPUT).cast() }
}

/// The writer behind a stream of ours.
///
/// # Safety
///
/// The stream carries its writer: [`is_emptied_by_us`], or our procedure was called with it. The
/// result is used before anything else reaches the writer.
unsafe fn writer_of<'a>(stream: Stream) -> Option<&'a mut Writer> {
    // SAFETY: the writer lives as long as the stream.
    unsafe { (*stream.as_ptr()).data.cast::<Writer>().as_mut() }
}

/// The empty procedure: sends what was written; with `close` ends the stream.
pub(super) unsafe extern "C" fn empty(stream: *mut FCGX_Stream, close: c_int) {
    // SAFETY: C calls this with the stream that carries it.
    let Some(stream) = (unsafe { Stream::new(stream) }) else { return };
    // SAFETY: the stream carries this procedure.
    let Some(writer) = (unsafe { writer_of(stream) }) else { return stream.set_closed(1) };
    // A stream that an error has closed still has its end, if nothing is missing before it.
    if stream.is_closed() && (close == 0 || writer.ended) {
        return;
    }
    let result = if close == 0 {
        writer.seal(stream);
        // The printf family flushes before the buffer is quite full.
        let much = writer.outbound.sealed().len() > writer.outbound.capacity() / 2;
        writer.flush().and_then(|()| writer.grow(much).map_err(io::Error::from))
    } else {
        writer.exclusively(|writer, fd| {
            writer.seal_end(stream);
            writer.outbound.send(fd)
        })
    };
    writer.set_cursor(stream);
    if let Err(error) = result {
        stream.fail(errno_of(&error));
    }
    if stream.is_closed() || close != 0 {
        stream.set_closed(1);
        stream.set_writable(stream.next_write(), stream.next_write());
    }
}

impl Writer {
    /// Sends what is sealed, if anything is.
    fn flush(&mut self) -> io::Result<()> {
        if self.outbound.sealed().is_empty() {
            return Ok(());
        }
        self.exclusively(|writer, fd| writer.outbound.send(fd))
    }

    /// Sends what is sealed, and `content` behind it. Other threads may send between its parts.
    fn send_directly(&mut self, mut content: &[u8]) -> io::Result<()> {
        while !content.is_empty() {
            let sent = self
                .exclusively(|writer, fd| writer.outbound.send_with(fd, writer.stream, content))?;
            content = content.get(sent..).unwrap_or_default();
        }
        Ok(())
    }

    /// A stream that is written to gets a first buffer; a request whose answer does not fit into
    /// that, a larger one.
    fn grow(&mut self, much: bool) -> Result<(), NoMemory> {
        self.prepare()?;
        if much && self.has_request() && !self.is_error_stream() {
            self.outbound.enlarge();
        }
        Ok(())
    }
}

/// Goes on in the same buffer after a full record, without sending. False where there is no room
/// for another one: then it is the empty procedure's turn.
pub(super) fn open_next(stream: Stream) -> bool {
    if !is_emptied_by_us(stream) {
        return false;
    }
    // SAFETY: just asked.
    let Some(writer) = (unsafe { writer_of(stream) }) else { return false };
    let used = writer.used(stream);
    if !writer.outbound.has_room_behind(used) {
        return false;
    }
    writer.seal(stream);
    writer.set_cursor(stream);
    true
}

/// Sends what was written and the caller's bytes behind it, without copying them. `None` when that
/// is not possible or does not pay; otherwise whether it went well.
///
/// # Safety
///
/// `from` may be read for `n` bytes.
pub(super) unsafe fn put_directly(stream: Stream, from: *const u8, n: usize) -> Option<bool> {
    if stream.is_closed() || stream.is_reader() || !is_emptied_by_us(stream) {
        return None;
    }
    // SAFETY: just asked.
    let writer = unsafe { writer_of(stream) }?;
    if n < writer.outbound.capacity() || n < writer.first_content() {
        return None;
    }
    writer.seal(stream);
    writer.written = true;
    // SAFETY: the caller's promise; the slice is used for this call only.
    let result = writer.send_directly(unsafe { slice::from_raw_parts(from, n) });
    writer.set_cursor(stream);
    if let Err(error) = &result {
        stream.fail(errno_of(error));
        stream.set_writable(stream.next_write(), stream.next_write());
    }
    Some(result.is_ok())
}

/// Ends both output streams of a request with one send; `then`: what becomes of its
/// connection. What can be sent of either after an error of the other is sent.
///
/// # Safety
///
/// The streams carry our procedure and belong to the same request.
pub(super) unsafe fn close_both(err: Stream, out: Stream, then: Then) {
    // SAFETY: the caller's promise; the two writers are two places.
    let (Some(first), Some(second)) = (unsafe { (writer_of(err), writer_of(out)) }) else { return };
    let result = second.exclusively(|second, fd| {
        for (stream, writer) in [(err, &mut *first), (out, &mut *second)] {
            if !writer.ended {
                writer.seal_end(stream);
            }
        }
        send_both(fd, &mut first.outbound, &mut second.outbound, then)
    });
    for stream in [err, out] {
        if let (Err(error), false) = (&result, stream.is_closed()) {
            stream.fail(errno_of(error));
        }
        stream.finish_close();
    }
}
