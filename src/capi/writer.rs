//! Output streams: the empty procedure of STDOUT, STDERR and of FCGX_CreateWriter's streams.

use std::ffi::c_int;
use std::io;
use std::ptr;
use std::slice;

use super::fcgiapp::{FCGX_Request, FCGX_Stream};
use super::stream::Stream;
use crate::os::error::errno_of;
use crate::os::io::{Afterwards, shutdown_write};
use crate::os::memory::NoMemory;
use crate::protocol::body::{EndRequest, ProtocolStatus};
use crate::protocol::record::RecordType;
use crate::protocol::writer::end_request;
use crate::serve::outbound::{
    ERROR_CONTENT, FIRST_CONTENT, Outbound, Stream as RecordStream, send_both,
};

/// Where the records go.
#[derive(Clone, Copy, Debug)]
enum Target {
    /// To the connection of a request, which ends when its last writer does.
    Request(*mut FCGX_Request),
    /// To a descriptor of the program's.
    Descriptor(c_int),
}

/// What stands behind an output stream.
#[derive(Debug)]
pub struct Writer {
    outbound: Outbound,
    stream: RecordStream,
    target: Target,
    /// Whether it has had any content.
    written: bool,
    /// Whether nothing may follow: its end is there, or what came before it has not been sent in
    /// whole.
    ended: bool,
}

impl Writer {
    /// A writer for nobody yet.
    pub const fn new() -> Self {
        Self {
            outbound: Outbound::new(),
            stream: RecordStream { kind: RecordType::STDOUT, id: 0 },
            target: Target::Descriptor(-1),
            written: false,
            ended: false,
        }
    }

    /// A writer to a descriptor, with records of `content` bytes.
    pub fn to_descriptor(
        fd: c_int,
        stream: RecordStream,
        content: usize,
    ) -> Result<Self, NoMemory> {
        let mut writer = Self::new();
        writer.target = Target::Descriptor(fd);
        writer.stream = stream;
        writer.outbound.allocate(content)?;
        Ok(writer)
    }

    /// Makes it the writer of an accepted request.
    pub(super) fn begin(&mut self, request: *mut FCGX_Request, stream: RecordStream) {
        self.target = Target::Request(request);
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
        matches!(self.target, Target::Request(_)) && self.stream.kind == RecordType::STDERR
    }

    fn first_content(&self) -> usize {
        if self.is_error_stream() { ERROR_CONTENT } else { FIRST_CONTENT }
    }

    /// Forgets the request.
    pub(super) fn rest(&mut self) {
        self.outbound.rest();
    }

    /// The request it belongs to, if any.
    pub(super) fn request(&self) -> *mut FCGX_Request {
        match self.target {
            Target::Request(request) => request,
            Target::Descriptor(_) => ptr::null_mut(),
        }
    }

    fn descriptor(&self) -> c_int {
        match self.target {
            // SAFETY: the request was accepted into this place, and must not move before it ends.
            Target::Request(request) => unsafe { (*request).ipcFd },
            Target::Descriptor(fd) => fd,
        }
    }

    /// Puts the stream's cursor at the start of the open record.
    pub(super) fn place(&mut self, stream: Stream) {
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
        if let Target::Request(request) = self.target {
            // SAFETY: as in `descriptor`.
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

    fn send(&mut self) -> io::Result<()> {
        let fd = self.descriptor();
        let result =
            if self.outbound.sealed().is_empty() { Ok(()) } else { self.outbound.send(fd) };
        if result.is_err() {
            self.cut_off();
        }
        result
    }

    /// A record may have been sent in part. Nothing can follow it, of the other stream either: the
    /// peer gets to see the end.
    fn cut_off(&mut self) {
        self.ended = true;
        if matches!(self.target, Target::Request(_)) {
            shutdown_write(self.descriptor());
        }
    }
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether the stream is a writer of ours, with our procedure in place.
pub(super) fn is_ours(stream: Stream) -> bool {
    type Proc = unsafe extern "C" fn(*mut FCGX_Stream, c_int);
    // SAFETY: whoever made the Stream promised that the struct is there.
    let proc = unsafe { (*stream.as_ptr()).emptyBuffProc };
    proc.is_some_and(|proc| ptr::fn_addr_eq(proc, empty as Proc))
}

/// The writer behind a stream of ours.
///
/// # Safety
///
/// [`is_ours`] has said so. The result is used before anything else reaches the writer.
pub(super) unsafe fn writer_of<'a>(stream: Stream) -> Option<&'a mut Writer> {
    // SAFETY: a stream with our procedure carries its writer, which lives as long as it.
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
    if close == 0 {
        writer.seal(stream);
    } else {
        writer.seal_end(stream);
    }
    // The printf family flushes before the buffer is quite full.
    let much = writer.outbound.sealed().len() > writer.outbound.capacity() / 2;
    let mut result = writer.send();
    if close == 0 && result.is_ok() {
        result = writer.grow(much).map_err(io::Error::from);
    }
    writer.place(stream);
    if let Err(error) = result {
        stream.fail(errno_of(&error));
    }
    if stream.is_closed() || close != 0 {
        stream.set_closed(1);
        stream.set_writable(stream.next_write(), stream.next_write());
    }
}

impl Writer {
    /// A stream that is written to gets a first buffer; a request whose answer does not fit into
    /// that, a larger one.
    fn grow(&mut self, much: bool) -> Result<(), NoMemory> {
        self.prepare()?;
        if much && matches!(self.target, Target::Request(_)) && !self.is_error_stream() {
            self.outbound.enlarge();
        }
        Ok(())
    }
}

/// Goes on in the same buffer after a full record, without sending. False where there is no room
/// for another one: then it is the empty procedure's turn.
pub(super) fn open_next(stream: Stream) -> bool {
    if !is_ours(stream) {
        return false;
    }
    // SAFETY: just asked.
    let Some(writer) = (unsafe { writer_of(stream) }) else { return false };
    let used = writer.used(stream);
    if !writer.outbound.has_room_behind(used) {
        return false;
    }
    writer.seal(stream);
    writer.place(stream);
    true
}

/// Sends what was written and the caller's bytes behind it, without copying them. `None` when that
/// is not possible or does not pay; otherwise whether it went well.
///
/// # Safety
///
/// `from` may be read for `n` bytes.
pub(super) unsafe fn put_directly(stream: Stream, from: *const u8, n: usize) -> Option<bool> {
    if stream.is_closed() || stream.is_reader() || !is_ours(stream) {
        return None;
    }
    // SAFETY: just asked.
    let writer = unsafe { writer_of(stream) }?;
    if n < writer.outbound.capacity() || n < writer.first_content() {
        return None;
    }
    writer.seal(stream);
    writer.written = true;
    let fd = writer.descriptor();
    // SAFETY: the caller's promise; the slice is used for one call.
    let content = unsafe { slice::from_raw_parts(from, n) };
    let result = writer.outbound.send_with(fd, writer.stream, content);
    if result.is_err() {
        writer.cut_off();
    }
    writer.place(stream);
    if let Err(error) = &result {
        stream.fail(errno_of(error));
        stream.set_writable(stream.next_write(), stream.next_write());
    }
    Some(result.is_ok())
}

/// Ends both output streams of a request with one send; `afterwards`: what becomes of its
/// connection. What can be sent of either after an error of the other is sent.
///
/// # Safety
///
/// The streams carry our procedure and belong to the same request.
pub(super) unsafe fn close_both(err: Stream, out: Stream, afterwards: Afterwards) {
    // SAFETY: the caller's promise; the two writers are two places.
    let (Some(first), Some(second)) = (unsafe { (writer_of(err), writer_of(out)) }) else { return };
    for (stream, writer) in [(err, &mut *first), (out, &mut *second)] {
        if !writer.ended {
            writer.seal_end(stream);
        }
    }
    let fd = second.descriptor();
    let result = send_both(fd, &mut first.outbound, &mut second.outbound, afterwards);
    for stream in [err, out] {
        if let (Err(error), false) = (&result, stream.is_closed()) {
            stream.fail(errno_of(error));
        }
        stream.finish_close();
    }
}
