//! Output streams: the empty procedure of STDOUT, of STDERR and of FCGX_CreateWriter's streams.

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
use crate::serve::sink::Sink;

/// An output stream, and the library's data for it.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Output {
    pub(super) writer: Writer,
    pub(super) stream: FCGX_Stream,
}

impl Output {
    /// Makes an output without a request.
    pub(super) const fn new() -> Self {
        Self { writer: Writer::new(), stream: NO_STREAM }
    }

    /// Opens the stream at the start of the open record.
    ///
    /// # Safety
    ///
    /// `output` points to an output that does not move while its stream is used, and that nothing else
    /// uses during the call.
    pub(super) unsafe fn open(output: *mut Self) {
        // SAFETY: the caller passes an output that nothing else uses; each reference ends with its line.
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

/// The library's data for an output stream.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Writer {
    /// Its request, if it has one, which ends with the last of its writers.
    data: PrivateData,
    /// Without a request: the program's descriptor, to which the records go.
    descriptor: c_int,
    /// The sending side of the connection, which serialises its threads. It lives as long as the writer.
    sending: *const Sending,
    outbound: Outbound,
    stream: RecordStream,
    /// Whether any content was written.
    written: bool,
    /// Whether nothing may follow: the end of the stream is queued, or a send was cut short.
    ended: bool,
}

impl Writer {
    /// Makes a writer without a connection.
    pub(super) const fn new() -> Self {
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

    /// Sets the sending side of its connection.
    ///
    /// # Safety
    ///
    /// `sending` lives as long as the writer.
    pub(super) unsafe fn sends_by(&mut self, sending: *const Sending) {
        self.sending = sending;
    }

    /// Makes it a writer to a descriptor, with records of up to `content` bytes.
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
    /// `request` does not move until it is finished.
    pub(super) unsafe fn begin(&mut self, request: *mut FCGX_Request, stream: RecordStream) {
        self.data.request = request;
        self.stream = stream;
        (self.written, self.ended) = (false, false);
        self.outbound.reuse();
    }

    /// Allocates a first buffer if there is none. STDOUT has it when the request begins, because programs
    /// write into it directly; STDERR gets it with the first write.
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

    /// Releases the buffer.
    pub(super) fn release(&mut self) {
        self.outbound.release();
    }

    /// Returns its request; NULL if it has none.
    pub(super) fn request(&self) -> *mut FCGX_Request {
        self.data.request
    }

    /// Returns whether its request is non-blocking: what it has written may have to be queued.
    fn is_nonblocking(&self) -> bool {
        // SAFETY: `sends_by` was promised that it lives as long as the writer.
        unsafe { self.sending.as_ref() }.is_some_and(|sending| sending.unsent().is_used())
    }

    fn has_request(&self) -> bool {
        !self.data.request.is_null()
    }

    fn descriptor(&self) -> c_int {
        let request = self.data.request;
        if request.is_null() {
            return self.descriptor;
        }
        // SAFETY: `begin` was promised that the request does not move until it is finished. Only this
        // field is read: another thread may be writing others.
        unsafe { (*request).ipcFd }
    }

    /// Runs `send` with the writer and its descriptor while no other thread sends to the connection.
    #[inline]
    fn exclusively<T>(
        &mut self,
        send: impl FnOnce(&mut Self, Sink) -> io::Result<T>,
    ) -> io::Result<T> {
        let fd = self.descriptor();
        // SAFETY: `sends_by` was promised that it lives as long as the writer. It is not part of the
        // writer, and threads may share it.
        let sending = unsafe { self.sending.as_ref() };
        match sending {
            Some(sending) => sending.exclusively(fd, |sink| {
                let result = send(self, sink);
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

    /// Returns how many content bytes the program has put into the open record.
    fn used(&mut self, stream: Stream) -> usize {
        let (start, end) = self.outbound.window();
        let base = self.outbound.memory().as_mut_ptr() as usize;
        (stream.next_write() as usize).saturating_sub(base + start).min(end - start)
    }

    /// Seals the open record with what the program has written.
    fn seal(&mut self, stream: Stream) {
        let used = self.used(stream);
        self.outbound.seal(self.stream, used);
        self.written |= used > 0;
    }

    /// Seals what was written and queues the end of the stream; after the last stream of a request, also
    /// END_REQUEST. An unused STDERR has no end record.
    fn seal_end(&mut self, stream: Stream) {
        self.seal(stream);
        self.ended = true;
        if self.written || self.stream.kind != RecordType::STDERR {
            self.outbound.end(self.stream);
        }
        let request = self.data.request;
        if !request.is_null() {
            // SAFETY: `begin` was promised that the request does not move until it is finished. Threads
            // that end streams of one request at the same time are serialised by `exclusively`.
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

    /// Ends sending after an error: a record may have been sent in part, so nothing can follow it, not even
    /// of the other stream. The peer sees the end of the connection.
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

/// Returns whether the stream has our empty procedure: then its data is a [`Writer`].
pub(super) fn is_emptied_by_us(stream: Stream) -> bool {
    type Proc = unsafe extern "C" fn(*mut FCGX_Stream, c_int);
    // SAFETY: `Stream::new` was promised that the struct is there.
    let proc = unsafe { (*stream.as_ptr()).emptyBuffProc };
    proc.is_some_and(|proc| ptr::fn_addr_eq(proc, empty as Proc))
}

/// Returns whether a stream of the library has no buffer yet: nothing was written.
pub(super) fn is_unused(stream: Stream) -> bool {
    // SAFETY: with our procedure, the stream's data is its writer.
    is_emptied_by_us(stream)
        && unsafe { writer_of(stream) }.is_some_and(|writer| writer.outbound.capacity() == 0)
}

/// Returns the output of a stream of the library, even if the program has replaced its procedure; NULL for
/// any other stream.
pub(super) fn output_of(stream: Stream) -> *mut Output {
    let stream_ptr = stream.as_ptr();
    if is_emptied_by_us(stream) {
        // SAFETY: with our procedure, `data` is the writer, with which an output begins.
        return unsafe { (*stream_ptr).data.cast() };
    }
    // SAFETY: `Stream::new` was promised a stream; in an Output, private data lies before it.
    unsafe { PrivateData::before(stream_ptr, offset_of!(Output, stream), &OUTPUT).cast() }
}

/// Returns the writer of a stream of the library.
///
/// # Safety
///
/// The stream's data is its writer: [`is_emptied_by_us`], or our procedure was called with it. Nothing
/// else uses the writer while the result is used.
unsafe fn writer_of<'a>(stream: Stream) -> Option<&'a mut Writer> {
    // SAFETY: the caller passes a stream of the library, whose writer lives as long as the stream.
    unsafe { (*stream.as_ptr()).data.cast::<Writer>().as_mut() }
}

/// The empty procedure: sends what was written. With nonzero `close` it also ends the stream.
pub(super) unsafe extern "C" fn empty(stream: *mut FCGX_Stream, close: c_int) {
    // SAFETY: the caller of a procedure passes the procedure's stream.
    let Some(stream) = (unsafe { Stream::new(stream) }) else { return };
    // SAFETY: a stream with this procedure has a writer as its data.
    let Some(writer) = (unsafe { writer_of(stream) }) else { return stream.set_closed(1) };
    // A stream that an error has closed still sends its end, unless a send was cut short.
    if stream.is_closed() && (close == 0 || writer.ended) {
        return;
    }
    let result = if close == 0 {
        writer.seal(stream);
        writer.flush()
    } else {
        writer.exclusively(|writer, sink| {
            writer.seal_end(stream);
            writer.outbound.send(sink)
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
    /// Sends what is sealed, if anything is. Allocates the first buffer of a stream, and a larger one for a
    /// response that has filled it.
    fn flush(&mut self) -> io::Result<()> {
        // The printf family flushes before the buffer is quite full.
        let was_full = self.outbound.sealed().len() > self.outbound.capacity() / 2;
        if !self.outbound.sealed().is_empty() {
            self.exclusively(|writer, sink| writer.outbound.send(sink))?;
        }
        self.prepare()?;
        let may_grow = self.has_request() && !self.is_error_stream() && !self.is_nonblocking();
        if was_full && may_grow {
            self.outbound.enlarge();
        }
        Ok(())
    }

    /// Sends what is sealed, then `content`, in parts between which other threads may send.
    fn send_directly(&mut self, mut content: &[u8]) -> io::Result<()> {
        while !content.is_empty() {
            let sent = self.exclusively(|writer, sink| {
                writer.outbound.send_with(sink, writer.stream, content)
            })?;
            content = content.get(sent..).unwrap_or_default();
        }
        Ok(())
    }
}

/// Opens another record in the same buffer, without sending. Returns false if there is no room for one: the
/// empty procedure has to send first.
pub(super) fn open_next(stream: Stream) -> bool {
    if !is_emptied_by_us(stream) {
        return false;
    }
    // SAFETY: the stream has our procedure, so its data is its writer.
    let Some(writer) = (unsafe { writer_of(stream) }) else { return false };
    let used = writer.used(stream);
    if !writer.outbound.has_room_behind(used) {
        return false;
    }
    writer.seal(stream);
    writer.set_cursor(stream);
    true
}

/// Sends what was written, then the caller's bytes, without copying them. Returns whether that succeeded;
/// `None`, without sending, if it is not possible or copying is cheaper.
///
/// # Safety
///
/// `from` may be read for `n` bytes.
pub(super) unsafe fn put_directly(stream: Stream, from: *const u8, n: usize) -> Option<bool> {
    if stream.is_closed() || stream.is_reader() || !is_emptied_by_us(stream) {
        return None;
    }
    // SAFETY: the stream has our procedure, so its data is its writer.
    let writer = unsafe { writer_of(stream) }?;
    let is_small = n < writer.outbound.capacity() || n < writer.first_content();
    if is_small || writer.is_nonblocking() {
        return None;
    }
    writer.seal(stream);
    writer.written = true;
    // SAFETY: the caller's memory may be read for `n` bytes; the slice is used for this call only.
    let result = writer.send_directly(unsafe { slice::from_raw_parts(from, n) });
    writer.set_cursor(stream);
    if let Err(error) = &result {
        stream.fail(errno_of(error));
        stream.set_writable(stream.next_write(), stream.next_write());
    }
    Some(result.is_ok())
}

/// Ends both output streams of a request with one send. `then`: what the caller does with the connection
/// afterwards. After an error of one stream, sends what can be sent of the other.
///
/// # Safety
///
/// The streams have our empty procedure and belong to the same request.
pub(super) unsafe fn close_both(err: Stream, out: Stream, then: Then) {
    // SAFETY: the caller passes two streams with our procedure; their writers are two objects.
    let (Some(first), Some(second)) = (unsafe { (writer_of(err), writer_of(out)) }) else { return };
    let result = second.exclusively(|second, sink| {
        for (stream, writer) in [(err, &mut *first), (out, &mut *second)] {
            if !writer.ended {
                writer.seal_end(stream);
            }
        }
        send_both(sink, &mut first.outbound, &mut second.outbound, then)
    });
    for stream in [err, out] {
        if let (Err(error), false) = (&result, stream.is_closed()) {
            stream.fail(errno_of(error));
        }
        stream.finish_close();
    }
}
