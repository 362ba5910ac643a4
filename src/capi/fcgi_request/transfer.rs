//! The body and the response of a request.

use std::ffi::{c_int, c_void};
use std::ptr;

use super::constants::{FCGX_STREAM_ERR, FCGX_STREAM_IN, FCGX_STREAM_OUT};
use super::nonblocking;
use super::result::{FCGX_GONE, FCGX_NO_REQUEST, of_stream};
use crate::capi::block::block_of;
use crate::capi::layout::{FCGX_Request, FCGX_Stream};
use crate::capi::opaque::OpaqueRequest;
use crate::capi::stream::Stream;
use crate::capi::{transfer, writer};

/// Returns a stream of the request in progress, or the result for a caller without one.
///
/// # Safety
///
/// `request` is NULL or points to a request that was initialised.
unsafe fn open(request: *mut FCGX_Request, which: c_int) -> Result<Stream, c_int> {
    if request.is_null() {
        return Err(-libc::EINVAL);
    }
    // SAFETY: the caller passes a request that was initialised; its streams live until it ends.
    unsafe {
        let stream = match which {
            FCGX_STREAM_IN => (*request).r#in,
            FCGX_STREAM_OUT => (*request).out,
            _ => (*request).err,
        };
        let stream = Stream::new(stream).ok_or(FCGX_NO_REQUEST)?;
        match OpaqueRequest::of(request) {
            Some(opaque) if opaque.is_aborted() => Err(FCGX_GONE),
            _ => Ok(stream),
        }
    }
}

/// Returns the result for a transfer that was cut short.
///
/// # Safety
///
/// `request` holds a request in progress, of which `stream` is a stream.
#[cold]
unsafe fn cut_short(request: *mut FCGX_Request, stream: Stream) -> c_int {
    // SAFETY: the caller passes a request in progress, which has a live block.
    unsafe {
        if OpaqueRequest::of(request).is_some_and(OpaqueRequest::is_aborted) {
            return FCGX_GONE;
        }
        of_stream(block_of(request), stream)
    }
}

/// Reads from the body. Waits for the first byte only, as read(2) does.
///
/// Parameters:
/// - buffer: where the bytes are stored; NULL only if size is 0.
/// - size: the number of bytes for which there is room.
///
/// Returns: the number of bytes; 0 at the end of the body, or if size is 0; a negative result on
/// failure, also where part of the body was read before.
///
/// Errors: EAGAIN in a non-blocking request if nothing has arrived. FCGX_GONE if the web server has aborted the request or closed the connection.
/// FCGX_BROKEN if it has broken the protocol. FCGX_NO_REQUEST without a request in progress. EINVAL
/// if request is NULL, or buffer is NULL and size is not 0. Otherwise as recv(2), negated.
///
/// Threads and signals: another thread may write at the same time. Signals do not end the wait.
///
/// Specification: 5.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_RequestRead(
    request: *mut FCGX_Request,
    buffer: *mut c_void,
    size: usize,
) -> isize {
    // SAFETY: the caller passes NULL or a request that was initialised, whose streams live until it ends.
    let body = unsafe { request.as_ref() }.and_then(|request| unsafe { Stream::new(request.r#in) });
    if let Some(body) = body.filter(|body| body.readable() > 0 && !buffer.is_null()) {
        // SAFETY: the caller lets `buffer` be written for `size` bytes.
        return unsafe { body.copy_out(buffer.cast(), size) } as isize;
    }
    // SAFETY: the caller passes NULL or a request, and room for `size` bytes.
    unsafe { read_more(request, buffer, size) }
}

/// Reads where nothing is in the buffer, or where something is wrong.
///
/// # Safety
///
/// As for FCGX_RequestRead.
unsafe fn read_more(request: *mut FCGX_Request, buffer: *mut c_void, size: usize) -> isize {
    // SAFETY: the caller passes NULL or a request that was initialised.
    let stream = match unsafe { open(request, FCGX_STREAM_IN) } {
        Ok(_) if buffer.is_null() && size > 0 => return -libc::EINVAL as isize,
        Ok(stream) => stream,
        Err(result) => return result as isize,
    };
    // No object is larger than that.
    let size = size.min(isize::MAX as usize);
    // SAFETY: the caller lets `buffer` be written for `size` bytes.
    let got = unsafe { transfer::get_some(stream, buffer.cast(), size) };
    if got > 0 || size == 0 {
        return got as isize;
    }
    // SAFETY: the stream is that of the request in progress.
    match unsafe { (cut_short(request, stream), nonblocking::is_on(request)) } {
        (0, true) if !stream.is_closed() => -libc::EAGAIN as isize,
        (result, _) => result as isize,
    }
}

/// Writes to one of the output streams.
///
/// # Safety
///
/// `request` is NULL or points to a request that was initialised; `data` may be read for `size` bytes.
#[inline(always)]
unsafe fn write(
    request: *mut FCGX_Request,
    which: c_int,
    data: *const c_void,
    size: usize,
) -> isize {
    // SAFETY: the caller passes NULL or a request that was initialised, whose streams live until it ends.
    let stream = unsafe { request.as_ref() }.and_then(|request| {
        // SAFETY: as above.
        unsafe { Stream::new(if which == FCGX_STREAM_OUT { request.out } else { request.err }) }
    });
    if let Some(stream) = stream.filter(|s| size <= s.writable() && !data.is_null()) {
        // SAFETY: the caller lets `data` be read for `size` bytes; the buffer has room for them.
        unsafe { stream.copy_in(data.cast(), size) };
        return size as isize;
    }
    // SAFETY: the caller passes NULL or a request, and `size` bytes to read.
    unsafe { write_more(request, which, data, size) }
}

/// Writes what the buffer has no room for, or finds what is wrong.
///
/// # Safety
///
/// As for [`write`].
#[cold]
unsafe fn write_more(
    request: *mut FCGX_Request,
    which: c_int,
    data: *const c_void,
    size: usize,
) -> isize {
    // SAFETY: the caller passes NULL or a request that was initialised.
    let stream = match unsafe { open(request, which) } {
        Ok(_) if data.is_null() && size > 0 || size > isize::MAX as usize => {
            return -libc::EINVAL as isize;
        }
        Ok(stream) => stream,
        Err(result) => return result as isize,
    };
    // SAFETY: the request is in progress: it has this stream.
    let size = match unsafe { nonblocking::room(request, size) } {
        Ok(size) => size,
        Err(result) => return result as isize,
    };
    // SAFETY: the caller lets `data` be read for `size` bytes.
    if size == 0 || unsafe { transfer::put_bytes(stream, data.cast(), size) } {
        return size as isize;
    }
    // SAFETY: the stream is that of the request in progress.
    match unsafe { cut_short(request, stream) } {
        // The program has closed it.
        0 => -libc::EBADF as isize,
        result => result as isize,
    }
}

/// Writes to the response: all of it, buffered. What the buffer has no room for is sent.
///
/// Parameters:
/// - data: the bytes; NULL only if size is 0.
/// - size: their number.
///
/// Returns: size, or less in a non-blocking request; a negative result on failure, after which nothing
/// more can be written.
///
/// Errors: EAGAIN in a non-blocking request without room, after which it may be called again.
/// FCGX_GONE if the web server has closed the connection. FCGX_NO_REQUEST without a request
/// in progress. EBADF if the stream was closed. EINVAL if request is NULL, or data is NULL and size
/// is not 0. Otherwise as send(2), negated. An error may show in a later call, because data is
/// buffered.
///
/// Threads and signals: another thread may read, or write to the log, at the same time. Signals do
/// not end the wait.
///
/// Specification: 5.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_RequestWrite(
    request: *mut FCGX_Request,
    data: *const c_void,
    size: usize,
) -> isize {
    // SAFETY: the caller passes NULL or a request, and `size` bytes to read.
    unsafe { write(request, FCGX_STREAM_OUT, data, size) }
}

/// Writes to the web server's log: all of it, buffered.
///
/// Parameters:
/// - text: the bytes, with line feeds where lines end; NULL only if size is 0.
/// - size: their number.
///
/// Returns: size, or less in a non-blocking request; a negative result on failure, after which nothing
/// more can be written.
///
/// Errors: as FCGX_RequestWrite.
///
/// Threads and signals: another thread may read, or write to the response, at the same time.
/// Signals do not end the wait.
///
/// Specification: 5.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_RequestLog(
    request: *mut FCGX_Request,
    text: *const c_void,
    size: usize,
) -> isize {
    // SAFETY: the caller passes NULL or a request, and `size` bytes to read.
    unsafe { write(request, FCGX_STREAM_ERR, text, size) }
}

/// Sends what was written to the log and to the response.
///
/// Returns: 0; a negative result on failure.
///
/// Errors: EAGAIN in a non-blocking request while something is unsent: poll FCGX_INFO_DESCRIPTOR for
/// writing, and call again. Otherwise as FCGX_RequestWrite.
///
/// Threads and signals: another thread may read at the same time. Signals do not end the wait.
///
/// Specification: 5.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_RequestFlush(request: *mut FCGX_Request) -> c_int {
    for which in [FCGX_STREAM_ERR, FCGX_STREAM_OUT] {
        // SAFETY: the caller passes NULL or a request that was initialised.
        let stream = match unsafe { open(request, which) } {
            Ok(stream) => stream,
            Err(result) => return result,
        };
        if writer::is_unused(stream) {
            continue;
        }
        stream.flush();
        // SAFETY: the stream is that of the request in progress.
        match unsafe { cut_short(request, stream) } {
            0 => {}
            result => return result,
        }
    }
    // SAFETY: the request has streams, so it is in progress.
    unsafe { nonblocking::send_rest(request) }
}

/// Returns a stream of the request, for the functions of fcgiapp.h: FCGX_GetLine, FCGX_FPrintF,
/// FCGX_StartFilterData and others.
///
/// Parameters:
/// - which: FCGX_STREAM_IN, FCGX_STREAM_OUT or FCGX_STREAM_ERR.
///
/// Returns: the stream, valid until the request ends; NULL without a request in progress, if request
/// is NULL, or for another number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_RequestStream(
    request: *mut FCGX_Request,
    which: c_int,
) -> *mut FCGX_Stream {
    if request.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: not NULL, so the caller passes a request that was initialised.
    unsafe {
        match which {
            FCGX_STREAM_IN => (*request).r#in,
            FCGX_STREAM_OUT => (*request).out,
            FCGX_STREAM_ERR => (*request).err,
            _ => ptr::null_mut(),
        }
    }
}
