//! What is done with an accepted `FCGX_Request` and the block that stands behind it.

use std::ffi::{c_char, c_int};
use std::ptr;

use super::block::{self, Block, block_of, release};
use super::envp;
use super::layout::{FCGX_Request, Params};
use super::parked::{self, close_unknown};
use super::reader;
use super::stream::Stream;
use super::writer::{self, Output};
use crate::os::io::Then;
use crate::os::memory::NoMemory;
use crate::protocol::record::RecordType;
use crate::serve::outbound::RecordStream;
use crate::serve::wait::Owner;
use crate::serve::{Connection, RequestStart};

/// Takes the connection from a request whose last one is finished and kept, if the program has
/// left it there.
///
/// # Safety
///
/// As for [`block_of`].
pub unsafe fn take_kept(request: *mut FCGX_Request) -> Option<Connection> {
    // SAFETY: the caller's promise.
    let (block, fd) = unsafe { (block_of(request), (*request).ipcFd) };
    // SAFETY: what `block_of` gives is NULL or a live block of this request alone.
    let connection = unsafe { block.as_mut() }?.connection.take()?;
    if connection.fd == fd {
        return Some(connection);
    }
    connection.release();
    None
}

/// Gives an accepted request to the program. Without memory for it the connection is closed, and the
/// request holds none.
///
/// # Safety
///
/// As for [`block_of`].
pub unsafe fn begin(
    request: *mut FCGX_Request,
    connection: Connection,
    begin: RequestStart,
    owner: Owner,
) -> Result<(), NoMemory> {
    // SAFETY: the caller's promise.
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
    // SAFETY: the caller's promise. The block is a live one of this request alone; no stream of it
    // is in the program's hands.
    let envp = unsafe {
        (*request).paramsPtr = block.cast::<Params>();
        (*request).ipcFd = connection.fd;
        (*block).owner = owner;
        open(block, request, connection, begin)
    };
    let envp = match envp {
        Ok(envp) => envp,
        Err(error) => {
            // SAFETY: as above.
            unsafe { end(request, true) };
            return Err(error);
        }
    };
    // SAFETY: the caller's promise; the places in the block live until `end`.
    unsafe {
        let r = request;
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
    // SAFETY: the cursors are set through the same pointers that the program gets.
    unsafe { open_streams(block) };
    Ok(())
}

/// Everything that needs memory; returns the environment.
///
/// # Safety
///
/// As for [`begin`]; `block` is that of the request, and nothing else reaches it.
unsafe fn open(
    block: *mut Block,
    request: *mut FCGX_Request,
    connection: Connection,
    begin: RequestStart,
) -> Result<*mut *mut c_char, NoMemory> {
    let stream = |kind| RecordStream { kind, id: begin.id };
    // SAFETY: the caller's promise; the request stays where it is until it is finished.
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

/// # Safety
///
/// As for [`begin`], whose second half it is.
unsafe fn open_streams(block: *mut Block) {
    // SAFETY: the block is live and only reached by this thread; each reference ends with its line.
    unsafe {
        reader::open(block);
        Output::open(&raw mut (*block).out);
        Output::open(&raw mut (*block).err);
    }
}

/// Ends both output streams of the program's request; what they hold is sent, with END_REQUEST.
/// False when something could not be sent.
///
/// # Safety
///
/// `request` holds an accepted request that is not finished.
pub unsafe fn close_streams(request: *mut FCGX_Request) -> bool {
    // SAFETY: the caller's promise.
    let block = unsafe { block_of(request) };
    // SAFETY: the places live as long as the block.
    let streams = unsafe {
        [&raw mut (*block).err.stream, &raw mut (*block).out.stream].map(|s| Stream::new(s))
    };
    let [Some(err), Some(out)] = streams else { return false };
    let untouched = |stream| writer::is_emptied_by_us(stream) && Stream::close_called(stream) == 0;
    if untouched(err) && untouched(out) {
        // SAFETY: just asked; both belong to this block.
        unsafe { writer::close_both(err, out, then(request)) };
    }
    // A stream with a procedure of the program's, or closed before, ends in the usual way.
    let (err, out) = (err.close(), out.close());
    err == 0 && out == 0
}

/// What becomes of the connection when the request is over. A peer that wants to keep it must not
/// get the answer before it can see that the connection ends; one that is detached goes on elsewhere.
///
/// # Safety
///
/// As for [`close_streams`].
unsafe fn then(request: *mut FCGX_Request) -> Then {
    // SAFETY: the caller's promise; nothing else reaches the block's connection now.
    let (connection, stays) = unsafe {
        let stays = (*request).keepConnection != 0 || (*request).detached != 0;
        ((*block_of(request)).connection.as_ref(), stays)
    };
    match connection {
        Some(connection) if connection.exchange.is_to_stay() && !stays => Then::ShutDown,
        _ => Then::KeepOpen,
    }
}

/// Whether the connection can serve another request.
///
/// # Safety
///
/// As for [`close_streams`].
pub unsafe fn is_sound(request: *mut FCGX_Request) -> bool {
    // SAFETY: the caller's promise; nothing else reaches the block's connection now.
    let connection = unsafe { (*block_of(request)).connection.as_mut() };
    connection.is_some_and(|connection| connection.exchange.incoming().is_sound())
}

/// Takes the streams and the environment away from the program.
///
/// # Safety
///
/// As for [`block_of`].
pub unsafe fn withdraw(request: *mut FCGX_Request) {
    // SAFETY: the caller's promise.
    unsafe {
        (*request).r#in = ptr::null_mut();
        (*request).out = ptr::null_mut();
        (*request).err = ptr::null_mut();
        (*request).envp = ptr::null_mut();
    }
}

/// Gives the block back; the connection is closed, or left to the program.
///
/// # Safety
///
/// As for [`block_of`].
pub unsafe fn end(request: *mut FCGX_Request, close: bool) {
    // SAFETY: the caller's promise.
    let (block, fd, detached) =
        unsafe { (block_of(request), (*request).ipcFd, (*request).detached != 0) };
    // SAFETY: as above.
    let key = unsafe {
        withdraw(request);
        let key = parked::take_key(request);
        (*request).paramsPtr = ptr::null_mut();
        ((*request).nWriters, (*request).isBeginProcessed) = (0, 0);
        if close {
            (*request).ipcFd = -1;
            (*request).detached = 0;
        }
        key
    };
    if let Some(key) = key {
        // SAFETY: as above.
        return unsafe { parked::end(request, (key, fd), close, detached) };
    }
    let mut connection = None;
    if !block.is_null() {
        // SAFETY: made by `block::take`; the request was its only user and has let it go.
        unsafe {
            connection = (*block).connection.take();
            release(block);
        }
    }
    match connection {
        Some(connection) if connection.fd != fd => {
            connection.release();
            close_unknown(fd, close);
        }
        Some(connection) if close && detached => connection.close_detached_copy(),
        Some(connection) if close => connection.close(),
        Some(connection) => connection.release(),
        None => close_unknown(fd, close),
    }
}

/// The request that a stream of ours belongs to; NULL for any other.
pub fn request_of(stream: Stream) -> *mut FCGX_Request {
    let (input, output) = (reader::input_of(stream), writer::output_of(stream));
    // SAFETY: what stands behind a stream of ours lives as long as it; the fields are plain data.
    unsafe {
        match (input.as_ref(), output.as_ref()) {
            (Some(input), _) => input.data.request,
            (None, Some(output)) => output.writer.request(),
            (None, None) => ptr::null_mut(),
        }
    }
}

/// Goes on to the data of a Filter; false where that is not the moment.
pub fn start_data(stream: Stream) -> bool {
    let input = reader::input_of(stream);
    if input.is_null() {
        return false;
    }
    // SAFETY: as in `request_of`; an input is part of its block, and nothing else reaches the
    // block's connection now.
    let connection = unsafe { (*(*input).block).connection.as_mut() };
    connection.is_some_and(|connection| {
        let started = connection.exchange.start_data();
        if started {
            // A byte may be pushed back before anything was read, as at the start of the body.
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

    /// The whole way of a request, twice in the same memory: what Miri looks at.
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
            // SAFETY: `r` points to a request that stays where it is; the streams are its own.
            unsafe {
                begin(r, connection, start, Owner::MayBeGone).unwrap();
                assert_eq!(ours.into_raw_fd(), (*r).ipcFd);
                assert_eq!(FCGX_UnGetChar(c_int::from(b'<'), (*r).r#in), c_int::from(b'<'));
                assert_eq!(FCGX_GetStr(text.as_mut_ptr().cast(), 8, (*r).r#in), 5);
                assert_eq!(*(*(*r).envp.add(1)), b'a' as _);
                assert_eq!(FCGX_PutS(c"answer".as_ptr(), (*r).out), 6);
                assert_eq!(FCGX_PutS(c"log".as_ptr(), (*r).err), 3);
                if cfg!(miri) {
                    // No send in Miri.
                    end(r, true);
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
