//! The body of an accepted request: the fill procedure of its stream.

use std::ffi::c_int;
use std::io::{self, IoSliceMut};
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

/// Bytes from which reading straight into the caller's memory pays.
const DIRECT: usize = 4096;

/// Whether our procedure fills the stream: then it carries its [`Input`].
fn is_filled_by_us(stream: Stream) -> bool {
    // SAFETY: whoever made the Stream promised that the struct is there.
    let proc = unsafe { (*stream.as_ptr()).fillBuffProc };
    proc.is_some_and(|proc| ptr::fn_addr_eq(proc, fill as unsafe extern "C" fn(*mut FCGX_Stream)))
}

/// The input behind the body's stream of an accepted request, also if the program has put a procedure
/// of its own around ours; NULL for any other stream.
pub(super) fn input_of(stream: Stream) -> *mut Input {
    let stream_ptr = stream.as_ptr();
    if is_filled_by_us(stream) {
        // SAFETY: as in `is_filled_by_us`.
        return unsafe { (*stream_ptr).data.cast() };
    }
    // SAFETY: as above; the stream lies behind the private data.
    unsafe { PrivateData::before(stream_ptr, offset_of!(Input, stream), &INPUT).cast() }
}

/// Opens the body's stream of a request, where reading starts.
///
/// # Safety
///
/// `block` is the live block of an accepted request, and nothing else reaches it during the call.
pub(super) unsafe fn open(block: *mut Block) {
    // SAFETY: the caller's promise; each reference ends with its line.
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

/// Puts the cursor of a fresh body where reading starts; what was received before may be
/// overwritten by pushing back.
pub(super) fn start(stream: Stream, connection: &mut Connection) {
    let (memory, position) = connection.exchange.memory();
    let next = memory.as_mut_ptr().wrapping_add(position);
    stream.set_readable(next, next);
    stream.set_stop_unget(next.wrapping_sub(position.min(MARGIN)));
}

/// The fill procedure: makes more of the body readable, or ends the stream.
pub(super) unsafe extern "C" fn fill(stream: *mut FCGX_Stream) {
    // SAFETY: C calls this with the stream that carries it.
    let Some(stream) = (unsafe { Stream::new(stream) }) else { return };
    // SAFETY: a stream with this procedure carries its input, which lives as long as it.
    let block = unsafe { (*(*stream.as_ptr()).data.cast::<Input>()).block };
    // SAFETY: an input is part of its block.
    let fd = unsafe { descriptor(block) };
    // SAFETY: as above.
    let Some(connection) = (unsafe { connection(block) }) else { return stream.set_closed(1) };
    loop {
        match connection.exchange.body_event() {
            BodyEvent::Content(range) => {
                let (memory, _) = connection.exchange.memory();
                let base = memory.as_mut_ptr();
                let next = base.wrapping_add(range.start);
                return stream.set_readable(next, base.wrapping_add(range.end));
            }
            // SAFETY: as above; the sending side is for all threads.
            BodyEvent::NeedMore => receive(connection, fd, unsafe { sending(block) }, stream),
            BodyEvent::End => return stream.set_closed(1),
            BodyEvent::Answer(answer) => {
                // SAFETY: as above; it lies beside the connection, and is for all threads.
                if unsafe { sending(block) }.answer(fd, &answer).is_err() {
                    connection.exchange.incoming().break_off(Fault::Protocol);
                }
            }
            BodyEvent::Fault(fault) => return stream.fail(code(fault)),
        }
    }
}

/// Receives once; an error ends the connection.
fn receive(connection: &mut Connection, fd: c_int, sending: &Sending, stream: Stream) {
    let incoming = connection.exchange.incoming();
    let room = incoming.room().map_err(io::Error::from);
    let result = room.and_then(|room| {
        sending.look_after_answers(fd)?;
        fd_io::recv(fd, room)
    });
    received(connection, stream, result);
}

fn received(connection: &mut Connection, stream: Stream, result: io::Result<usize>) {
    if let Err(error) = &result {
        stream.fail(errno_of(error));
    }
    connection.exchange.incoming().received(result.unwrap_or(0));
}

fn code(fault: Fault) -> c_int {
    match fault {
        Fault::Protocol => FCGX_PROTOCOL_ERROR,
        Fault::Version => FCGX_UNSUPPORTED_VERSION,
    }
}

/// Reads content from the socket straight into the caller's memory. `None` when that is not
/// possible or does not pay.
///
/// # Safety
///
/// `to` may be written for `n` bytes.
pub(super) unsafe fn get_directly(stream: Stream, to: *mut u8, n: usize) -> Option<usize> {
    if n < DIRECT || stream.readable() > 0 || stream.is_closed() || !is_filled_by_us(stream) {
        return None;
    }
    // SAFETY: as in `fill`.
    let block = unsafe { (*(*stream.as_ptr()).data.cast::<Input>()).block };
    // SAFETY: as in `fill`.
    let fd = unsafe { descriptor(block) };
    // SAFETY: as in `fill`.
    let connection = unsafe { connection(block) }?;
    let n = n.min(connection.exchange.incoming().direct());
    if n < DIRECT {
        return None;
    }
    // SAFETY: the caller's promise; the slice is used for one call.
    let memory = unsafe { slice::from_raw_parts_mut(to, n) };
    // Without memory for what lies behind, the caller's is filled all the same.
    let room = connection.exchange.incoming().room().unwrap_or_default();
    // SAFETY: as in `fill`; the sending side is for all threads.
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
