//! The body of an accepted request: the fill procedure of its stream.

use std::ffi::c_int;
use std::io::{self, ErrorKind, IoSliceMut};
use std::mem::offset_of;
use std::ptr;
use std::slice;

use super::block::{Block, Input, connection, descriptor, sending};
use super::layout::{FCGX_PROTOCOL_ERROR, FCGX_Stream, FCGX_UNSUPPORTED_VERSION, NO_STREAM};
use super::private_data::{INPUT, PrivateData};
use super::stream::Stream;
use crate::os::error::errno_of;
use crate::os::io as fd_io;
use crate::serve::inbound::MARGIN;
use crate::serve::incoming::Fault;
use crate::serve::sending::Sending;
use crate::serve::{BodyEvent, Connection};

/// The least number of bytes for which reading straight into the caller's memory is worth it.
const DIRECT: usize = 4096;

/// Returns whether the stream has our fill procedure: then its data is an [`Input`].
fn is_filled_by_us(stream: Stream) -> bool {
    // SAFETY: `Stream::new` was promised that the struct is there.
    let proc = unsafe { (*stream.as_ptr()).fillBuffProc };
    proc.is_some_and(|proc| ptr::fn_addr_eq(proc, fill as unsafe extern "C" fn(*mut FCGX_Stream)))
}

/// Returns the input of the body's stream of an accepted request, even if the program has replaced its
/// procedure; NULL for any other stream.
pub(super) fn input_of(stream: Stream) -> *mut Input {
    let stream_ptr = stream.as_ptr();
    if is_filled_by_us(stream) {
        // SAFETY: with our procedure, `data` is the input.
        return unsafe { (*stream_ptr).data.cast() };
    }
    // SAFETY: `Stream::new` was promised a stream; in an Input, private data lies before it.
    unsafe { PrivateData::before(stream_ptr, offset_of!(Input, stream), &INPUT).cast() }
}

/// Opens the body's stream of a request, at the start of the body.
///
/// # Safety
///
/// `block` is the live block of an accepted request, and nothing else uses it during the call.
pub(super) unsafe fn open(block: *mut Block) {
    // SAFETY: the caller passes a live block that nothing else uses; each reference ends with its line.
    unsafe {
        (*block).body.stream = FCGX_Stream {
            isReader: 1,
            isClosed: 0,
            fillBuffProc: Some(fill),
            data: (&raw mut (*block).body).cast(),
            ..NO_STREAM
        };
        let Some(connection) = connection(block) else { return };
        if let Some(body) = Stream::new(&raw mut (*block).body.stream) {
            start(body, connection);
        }
    }
}

/// Puts the cursor where the unread input starts, with nothing readable yet. Pushing back may overwrite the
/// input before it, which was read.
pub(super) fn start(stream: Stream, connection: &mut Connection) {
    let (memory, position) = connection.exchange.memory();
    let next = memory.as_mut_ptr().wrapping_add(position);
    stream.set_readable(next, next);
    stream.set_stop_unget(next.wrapping_sub(position.min(MARGIN)));
}

/// The fill procedure: makes more of the body readable, or ends the stream.
pub(super) unsafe extern "C" fn fill(stream: *mut FCGX_Stream) {
    // SAFETY: the caller of a procedure passes the procedure's stream.
    let Some(stream) = (unsafe { Stream::new(stream) }) else { return };
    // SAFETY: a stream with this procedure has an input as its data, which lives as long as the stream.
    let block = unsafe { (*(*stream.as_ptr()).data.cast::<Input>()).block };
    // SAFETY: an input is part of its block, so the block is live.
    let fd = unsafe { descriptor(block) };
    // SAFETY: the block is live, and nothing else uses its connection during this call.
    let Some(connection) = (unsafe { connection(block) }) else { return stream.set_closed(1) };
    loop {
        match connection.exchange.body_event() {
            BodyEvent::Content(range) => {
                let (memory, _) = connection.exchange.memory();
                let base = memory.as_mut_ptr();
                let next = base.wrapping_add(range.start);
                return stream.set_readable(next, base.wrapping_add(range.end));
            }
            BodyEvent::NeedMore => {
                // SAFETY: the block is live, and the sending side is not part of the connection.
                if !receive(connection, fd, unsafe { sending(block) }, stream) {
                    // Nothing is readable, and the stream has not ended.
                    return start(stream, connection);
                }
            }
            BodyEvent::End => return stream.set_closed(1),
            BodyEvent::Answer(answer) => {
                // SAFETY: the block is live, and the sending side is not part of the connection.
                if unsafe { sending(block) }.answer(fd, &answer).is_err() {
                    connection.exchange.incoming().break_off(Fault::Protocol);
                }
            }
            BodyEvent::Fault(fault) => return stream.fail(code(fault)),
        }
    }
}

/// Receives once. After an error the connection cannot be used again. Returns false if a non-blocking request
/// would have to wait.
fn receive(connection: &mut Connection, fd: c_int, sending: &Sending, stream: Stream) -> bool {
    let incoming = connection.exchange.incoming();
    let room = incoming.room().map_err(io::Error::from);
    let is_nonblocking = sending.unsent().is_on();
    let result = room.and_then(|room| {
        if is_nonblocking {
            return fd_io::recv_now(fd, room);
        }
        sending.look_after_answers(fd)?;
        fd_io::recv(fd, room)
    });
    if is_nonblocking && result.as_ref().is_err_and(|e| e.kind() == ErrorKind::WouldBlock) {
        return false;
    }
    received(connection, stream, result);
    true
}

/// Notes the result of receiving; an error ends the stream.
fn received(connection: &mut Connection, stream: Stream, result: io::Result<usize>) {
    if let Err(error) = &result {
        stream.fail(errno_of(error));
    }
    connection.exchange.incoming().received(result.unwrap_or(0));
}

/// Returns the error of the stream for a fault of the input.
fn code(fault: Fault) -> c_int {
    match fault {
        Fault::Protocol | Fault::Gone => FCGX_PROTOCOL_ERROR,
        Fault::Version => FCGX_UNSUPPORTED_VERSION,
    }
}

/// Reads content from the socket straight into the caller's memory. Returns how many bytes; `None` if that is
/// not possible or copying is cheaper.
///
/// # Safety
///
/// `to` may be written for `n` bytes.
pub(super) unsafe fn get_directly(stream: Stream, to: *mut u8, n: usize) -> Option<usize> {
    if n < DIRECT || stream.readable() > 0 || stream.is_closed() || !is_filled_by_us(stream) {
        return None;
    }
    // SAFETY: a stream with our procedure has an input as its data, which lives as long as the stream.
    let block = unsafe { (*(*stream.as_ptr()).data.cast::<Input>()).block };
    // SAFETY: an input is part of its block, so the block is live.
    let fd = unsafe { descriptor(block) };
    // SAFETY: the block is live, and nothing else uses its connection during this call.
    let connection = unsafe { connection(block) }?;
    let n = n.min(connection.exchange.incoming().direct());
    // SAFETY: the block is live, and the sending side is not part of the connection.
    if n < DIRECT || unsafe { sending(block) }.unsent().is_on() {
        return None;
    }
    // SAFETY: the caller's memory may be written for `n` bytes; the slice is used for one call.
    let memory = unsafe { slice::from_raw_parts_mut(to, n) };
    // If out of memory for what follows the content, the caller's memory is filled all the same.
    let room = connection.exchange.incoming().room().unwrap_or_default();
    // SAFETY: the block is live, and the sending side is not part of the connection.
    let looked = unsafe { sending(block) }.look_after_answers(fd);
    let mut parts = [IoSliceMut::new(memory), IoSliceMut::new(room)];
    let result = looked.and_then(|()| fd_io::recv_parts(fd, &mut parts));
    let got = result.as_ref().map_or(0, |&got| got);
    let direct = got.min(n);
    if got == 0 {
        received(connection, stream, result);
    } else {
        connection.exchange.incoming().received_directly(direct, got - direct);
    }
    start(stream, connection);
    Some(direct)
}
