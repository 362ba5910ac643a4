//! An accepted `FCGX_Request` and its block, from beginning to end.

use std::ffi::c_int;
use std::io;
use std::ptr;
use std::sync::atomic::Ordering;

use super::block::{self, Block, block_of, release, sending};
use super::envp;
use super::layout::{FCGX_ParamArray, FCGX_Request, Params};
use super::opaque::OpaqueRequest;
use super::parked::{self, AtEnd};
use super::reader;
use super::stream::Stream;
use super::writer::{self, Output};
use crate::os::io::Then;
use crate::os::memory::NoMemory;
use crate::protocol::record::RecordType;
use crate::serve::outbound::RecordStream;
use crate::serve::wait::Owner;
use crate::serve::{Connection, RequestStart, config};

/// Takes the kept connection out of a request struct whose last request is finished. Returns `None` if
/// there is none, or if the program has put another descriptor into ipcFd.
///
/// # Safety
///
/// As for [`block_of`].
pub(super) unsafe fn take_kept(request: *mut FCGX_Request) -> Option<Connection> {
    // SAFETY: the caller passes an initialised request.
    let (block, fd) = unsafe { (block_of(request), (*request).ipcFd) };
    // SAFETY: `block_of` returns NULL or a live block, which only this request uses.
    let connection = unsafe { block.as_mut() }?.connection.take()?;
    if connection.fd == fd {
        return Some(connection);
    }
    connection.release();
    None
}

/// Makes an accepted request available to the program. If out of memory, closes the connection; the
/// request holds none then.
///
/// # Safety
///
/// As for [`block_of`].
pub(super) unsafe fn begin(
    request: *mut FCGX_Request,
    connection: Connection,
    begin: RequestStart,
    owner: Owner,
) -> Result<(), NoMemory> {
    // SAFETY: the caller passes an initialised request.
    let mut block = unsafe { block_of(request) };
    if block.is_null() {
        match block::take() {
            Ok(ready) => block = ready,
            Err(error) => {
                connection.close();
                return Err(error);
            }
        }
    }
    // SAFETY: the caller passes an initialised request. The block is live and only this request uses it;
    // the program has no pointer to its streams yet.
    let envp = unsafe {
        (*request).paramsPtr = block.cast::<Params>();
        (*request).ipcFd = connection.fd;
        (*block).owner = owner;
        open(block, request, connection, begin)
    };
    match envp {
        // SAFETY: the request and its block are the ones above.
        Ok(envp) => unsafe {
            publish(request, block, begin, envp);
            begin_opaque(request, block);
        },
        // SAFETY: the caller passes an initialised request.
        Err(_) => unsafe { close(request) },
    }
    envp.map(|_| ())
}

/// Does what a request of FCGX_RequestNew needs besides.
///
/// # Safety
///
/// As for [`open`].
unsafe fn begin_opaque(request: *mut FCGX_Request, block: *mut Block) {
    // SAFETY: the caller passes a live block and its request.
    unsafe {
        let Some(opaque) = OpaqueRequest::of(request) else { return };
        opaque.begin((*request).ipcFd);
        if opaque.is_nonblocking.load(Ordering::Relaxed) {
            (*block).sending.unsent().begin(config::get().output_buffer);
        }
    }
}

/// Sets the public fields of an accepted request and opens its streams.
///
/// # Safety
///
/// As for [`open`].
unsafe fn publish(
    r: *mut FCGX_Request,
    block: *mut Block,
    begin: RequestStart,
    envp: FCGX_ParamArray,
) {
    // SAFETY: the caller passes a live block, which the fields may point into until the request ends.
    unsafe {
        (*r).requestId = c_int::from(begin.id);
        (*r).role = c_int::from(begin.role.number());
        (*r).r#in = &raw mut (*block).body.stream;
        (*r).out = &raw mut (*block).out.stream;
        (*r).err = &raw mut (*block).err.stream;
        (*r).envp = envp;
        (*r).isBeginProcessed = 1;
        (*r).keepConnection = c_int::from(begin.keep);
        (*r).appStatus = 0;
        (*r).nWriters = 2;
    }
    // SAFETY: the block is live and only this thread uses it; each reference ends with its line. The
    // cursors are set through the same pointers that the program gets.
    unsafe {
        reader::open(block);
        Output::open(&raw mut (*block).out);
        Output::open(&raw mut (*block).err);
    }
}

/// Prepares the block for a request, which is all that needs memory. Returns the environment.
///
/// # Safety
///
/// As for [`begin`]; `block` is the request's live block, and nothing else uses it during the call.
unsafe fn open(
    block: *mut Block,
    request: *mut FCGX_Request,
    connection: Connection,
    begin: RequestStart,
) -> Result<FCGX_ParamArray, NoMemory> {
    let stream = |kind| RecordStream { kind, id: begin.id };
    // SAFETY: the caller passes a live block, and a request that does not move until it is finished.
    let block = unsafe {
        (*block).out.writer.begin(request, stream(RecordType::STDOUT));
        (*block).err.writer.begin(request, stream(RecordType::STDERR));
        &mut *block
    };
    block.sending.reset();
    block.body.data.request = request;
    let connection = block.connection.insert(connection);
    block.out.writer.prepare()?;
    Ok(envp::vector(connection.exchange.params()))
}

/// Ends both output streams of a request: sends what they hold, and END_REQUEST. Returns false if
/// anything could not be sent.
///
/// # Safety
///
/// `request` holds an accepted request that is not finished.
#[inline(always)]
pub(super) unsafe fn close_streams(request: *mut FCGX_Request) -> bool {
    // SAFETY: the caller passes an accepted request.
    let block = unsafe { block_of(request) };
    // SAFETY: an accepted request has a live block, and the streams are part of it.
    let streams = unsafe {
        [&raw mut (*block).err.stream, &raw mut (*block).out.stream].map(|s| Stream::new(s))
    };
    let [Some(err), Some(out)] = streams else { return false };
    let untouched = |stream| writer::is_emptied_by_us(stream) && Stream::close_called(stream) == 0;
    if untouched(err) && untouched(out) {
        // SAFETY: `untouched` has found our procedure in both, and both belong to this request.
        unsafe { writer::close_both(err, out, then(request)) };
    }
    // A stream that the program has closed, or whose procedure it has replaced, ends like any other.
    let (err, out) = (err.close(), out.close());
    err == 0 && out == 0
}

/// Returns what to do with the connection after the last byte of the response. If the peer wants to keep
/// the connection and we close it, the peer must see the end together with the response. A detached
/// connection stays open for another process.
///
/// # Safety
///
/// As for [`close_streams`].
unsafe fn then(request: *mut FCGX_Request) -> Then {
    // SAFETY: the caller passes an accepted request; nothing else uses its connection now.
    let (connection, stays) = unsafe {
        let stays = (*request).keepConnection != 0 || (*request).detached != 0;
        ((*block_of(request)).connection.as_ref(), stays)
    };
    match connection {
        Some(connection) if connection.exchange.is_to_stay() && !stays => Then::ShutDown,
        _ => Then::KeepOpen,
    }
}

/// Returns whether the connection can serve another request.
///
/// # Safety
///
/// As for [`close_streams`].
pub(super) unsafe fn is_sound(request: *mut FCGX_Request) -> bool {
    // SAFETY: the caller passes an accepted request; nothing else uses its connection now.
    let connection = unsafe { (*block_of(request)).connection.as_mut() };
    connection.is_some_and(|connection| connection.exchange.incoming().is_sound())
}

/// Sets the request's pointers to its streams and environment to NULL.
///
/// # Safety
///
/// As for [`block_of`].
pub(super) unsafe fn withdraw(request: *mut FCGX_Request) {
    // SAFETY: the caller passes an initialised request.
    unsafe {
        (*request).r#in = ptr::null_mut();
        (*request).out = ptr::null_mut();
        (*request).err = ptr::null_mut();
        (*request).envp = ptr::null_mut();
    }
}

/// Ends a request without sending anything and closes its connection: of a detached one, only this
/// process's copy.
///
/// # Safety
///
/// As for [`block_of`].
pub(super) unsafe fn close(request: *mut FCGX_Request) {
    // SAFETY: the caller passes an initialised request.
    unsafe {
        let is_detached = (*request).detached != 0;
        end(request, if is_detached { AtEnd::CloseCopy } else { AtEnd::Close });
    }
}

/// Sends what a non-blocking request has not sent, and waits for the peer.
///
/// # Safety
///
/// As for [`block_of`].
pub(super) unsafe fn send_rest(request: *mut FCGX_Request) -> io::Result<()> {
    // SAFETY: the caller passes an initialised request; its block, if it has one, is live.
    unsafe {
        let block = block_of(request);
        if block.is_null() || (*block).sending.unsent().len() == 0 {
            return Ok(());
        }
        let sending = sending(block);
        sending.exclusively((*request).ipcFd, |_| sending.unsent().finish((*request).ipcFd))
    }
}

/// Closes the connection of a request whose response is sent. For a non-blocking request, the pool waits for
/// the peer.
///
/// # Safety
///
/// As for [`block_of`].
pub(super) unsafe fn close_after_response(request: *mut FCGX_Request) {
    // SAFETY: the caller passes an initialised request.
    unsafe {
        let is_nonblocking = OpaqueRequest::of(request)
            .is_some_and(|opaque| opaque.is_nonblocking.load(Ordering::Relaxed));
        if is_nonblocking && (*request).detached == 0 {
            let listen_sock = (*request).listen_sock;
            end(request, AtEnd::CloseLater(listen_sock));
        } else {
            close(request);
        }
    }
}

/// Ends a request in progress without sending anything and closes its connection, without waiting for the
/// peer.
///
/// # Safety
///
/// As for [`block_of`].
pub(super) unsafe fn abandon(request: *mut FCGX_Request) {
    // SAFETY: the caller passes an initialised request.
    unsafe { end(request, AtEnd::Discard) };
}

/// Ends a request without sending anything and leaves its descriptor, in ipcFd, to the program.
///
/// # Safety
///
/// As for [`block_of`].
pub(super) unsafe fn leave(request: *mut FCGX_Request) {
    // SAFETY: the caller passes an initialised request.
    unsafe { end(request, AtEnd::Leave) };
}

/// Releases the block, if there is one, and does `at_end` to the connection.
///
/// # Safety
///
/// As for [`block_of`].
unsafe fn end(request: *mut FCGX_Request, at_end: AtEnd) {
    // SAFETY: the caller passes an initialised request.
    let (block, fd) = unsafe { (block_of(request), (*request).ipcFd) };
    // SAFETY: the caller passes an initialised request.
    let key = unsafe {
        if let Some(opaque) = OpaqueRequest::of(request) {
            opaque.end();
        }
        withdraw(request);
        let key = parked::take_key(request);
        (*request).paramsPtr = ptr::null_mut();
        ((*request).nWriters, (*request).isBeginProcessed) = (0, 0);
        if at_end != AtEnd::Leave {
            (*request).ipcFd = -1;
            (*request).detached = 0;
        }
        key
    };
    if let Some(key) = key {
        // SAFETY: the caller passes an initialised request.
        return unsafe { parked::end(request, (key, fd), at_end) };
    }
    let mut connection = None;
    if !block.is_null() {
        // SAFETY: `block::take` made it; the request was its only user and no longer points to it.
        unsafe {
            connection = (*block).connection.take();
            release(block);
        }
    }
    match connection {
        Some(connection) if connection.fd != fd => {
            connection.release();
            at_end.apply_unknown(fd);
        }
        Some(connection) => at_end.apply(connection),
        None => at_end.apply_unknown(fd),
    }
}

/// Returns the request of a stream of the library; NULL for any other stream.
pub(super) fn request_of(stream: Stream) -> *mut FCGX_Request {
    let (input, output) = (reader::input_of(stream), writer::output_of(stream));
    // SAFETY: the library's data of a stream lives as long as the stream; the fields are plain data.
    unsafe {
        match (input.as_ref(), output.as_ref()) {
            (Some(input), _) => input.data.request,
            (None, Some(output)) => output.writer.request(),
            (None, None) => ptr::null_mut(),
        }
    }
}

/// Moves a Filter's stream from its standard input to its data. Returns false in any other state.
pub(super) fn start_data(stream: Stream) -> bool {
    let input = reader::input_of(stream);
    if input.is_null() {
        return false;
    }
    // SAFETY: an input lives as long as its stream and is part of its block; nothing else uses the
    // block's connection now.
    let connection = unsafe { (*(*input).block).connection.as_mut() };
    connection.is_some_and(|connection| {
        let started = connection.exchange.start_data();
        if started {
            // As at the start of the body, a byte may be pushed back before any was read.
            reader::start(stream, connection);
        }
        started
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capi::fcgiapp::{FCGX_Finish_r, FCGX_GetStr, FCGX_PutS, FCGX_UnGetChar};
    use crate::capi::layout::NO_REQUEST;
    use crate::os::fork::ForkEpoch;
    use crate::serve::exchange::HeadEvent;
    use std::io::Read;
    use std::os::fd::{AsRawFd, IntoRawFd};
    use std::os::unix::net::UnixStream;

    const HEAD: &[u8] = b"\x01\x01\0\x05\0\x08\0\0\0\x01\0\0\0\0\0\0\
        \x01\x04\0\x05\0\x04\0\0\x01\x01ab\x01\x04\0\x05\0\0\0\0";
    const BODY: &[u8] = b"\x01\x05\0\x05\0\x04\0\0body\x01\x05\0\x05\0\0\0\0";

    /// A whole request, twice in the same memory; Miri runs it too.
    #[test]
    fn a_request_from_its_head_to_its_end() {
        let mut request = NO_REQUEST;
        let r = &raw mut request;
        for _ in 0..2 {
            let (ours, mut peer) = UnixStream::pair().unwrap();
            let mut connection = Connection::open(ours.as_raw_fd(), ForkEpoch::now()).unwrap();
            let incoming = connection.exchange.incoming();
            let received = [HEAD, BODY].concat();
            incoming.room().unwrap()[..received.len()].copy_from_slice(&received);
            incoming.received(received.len());
            let HeadEvent::Ready(start) = connection.exchange.head_event(1000) else {
                panic!("no head")
            };
            let mut text = [0_u8; 8];
            // SAFETY: `r` points to a request that does not move, and the streams are its own.
            unsafe {
                begin(r, connection, start, Owner::MayBeGone).unwrap();
                assert_eq!(ours.into_raw_fd(), (*r).ipcFd);
                assert_eq!(FCGX_UnGetChar(c_int::from(b'<'), (*r).r#in), c_int::from(b'<'));
                assert_eq!(FCGX_GetStr(text.as_mut_ptr().cast(), 8, (*r).r#in), 5);
                assert_eq!(*(*(*r).envp.add(1)), b'a' as _);
                assert_eq!(FCGX_PutS(c"answer".as_ptr(), (*r).out), 6);
                assert_eq!(FCGX_PutS(c"log".as_ptr(), (*r).err), 3);
                if cfg!(miri) {
                    // Miri cannot send.
                    close(r);
                } else {
                    FCGX_Finish_r(r);
                }
            }
            assert!(text.starts_with(b"<body"));
            assert_eq!((request.ipcFd, request.paramsPtr.is_null()), (-1, true));
            if cfg!(miri) {
                continue;
            }
            let mut answer = Vec::new();
            peer.read_to_end(&mut answer).unwrap();
            assert_eq!(answer.len(), (8 + 3) + 8 + (8 + 6) + 8 + 16);
        }
    }
}
