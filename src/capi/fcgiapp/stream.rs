//! Streams: reading, writing, ending.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use crate::capi::layout::{FCGX_CALL_SEQ_ERROR, FCGX_Stream};
use crate::capi::request;
use crate::capi::stream::{EOF, Stream};
use crate::capi::transfer;
use crate::capi::writer::{self, Output};
use crate::os::error::set_errno;
use crate::os::memory::boxed;
use crate::protocol::record::RecordType;
use crate::serve::outbound::RecordStream;
use crate::serve::sending::Sending;

/// Moves a Filter's stream from the end of the standard input to the file that it works on.
///
/// Parameters:
/// - stream: the in stream of a request in the role FCGI_FILTER that has been read to its end.
///
/// Returns: 0; -1 in any other state.
///
/// Side effects: a failure sets the stream's error to FCGX_CALL_SEQ_ERROR and ends the stream.
///
/// Specification: 6.4.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_StartFilterData(stream: *mut FCGX_Stream) -> c_int {
    // SAFETY: the caller passes a stream or NULL.
    let Some(stream) = (unsafe { Stream::new(stream) }) else { return -1 };
    if stream.readable() > 0 || !request::start_data(stream) {
        stream.fail(FCGX_CALL_SEQ_ERROR);
        return -1;
    }
    stream.set_closed(0);
    0
}

/// Reads one byte.
///
/// Parameters:
/// - stream: not NULL.
///
/// Returns: the byte, 0 to 255; -1 at the end of the stream and on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_GetChar(stream: *mut FCGX_Stream) -> c_int {
    // SAFETY: the caller passes a stream.
    transfer::get_char(unsafe { Stream::new_unchecked(stream) })
}

/// Pushes a byte back: the next read returns it first. At least one byte fits before the first read
/// and after each read, unless the end has been met.
///
/// Returns: c; -1 if c is -1, if no room is left, if the stream has ended, or if it is for writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_UnGetChar(c: c_int, stream: *mut FCGX_Stream) -> c_int {
    // SAFETY: the caller passes a stream or NULL.
    unsafe { Stream::new(stream) }.map_or(EOF, |stream| stream.unget_char(c))
}

/// Reads n bytes into str, without a NUL at the end. Waits until they have arrived.
///
/// Returns: the number of bytes read; less than n only at the end of the stream and on failure; 0
/// if n is not positive.
///
/// Specification: 5.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_GetStr(
    str: *mut c_char,
    n: c_int,
    stream: *mut FCGX_Stream,
) -> c_int {
    // SAFETY: the caller passes a stream or NULL.
    let stream = unsafe { Stream::new(stream) };
    let (Some(stream), Ok(n)) = (stream, usize::try_from(n)) else { return 0 };
    if str.is_null() {
        return 0;
    }
    // SAFETY: the caller's memory has room for n bytes. The count fits an int: it is at most n.
    unsafe { transfer::get_bytes(stream, str.cast(), n) as c_int }
}

/// Reads a line into str: up to and including a line feed, at most n - 1 bytes, and a NUL.
///
/// Returns: str; NULL at the end of the stream if nothing was read (str is not changed then), and
/// if n is not positive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_GetLine(
    str: *mut c_char,
    n: c_int,
    stream: *mut FCGX_Stream,
) -> *mut c_char {
    // SAFETY: the caller passes a stream or NULL.
    let stream = unsafe { Stream::new(stream) };
    let (Some(stream), Ok(room @ 1..)) = (stream, usize::try_from(n)) else {
        return ptr::null_mut();
    };
    if str.is_null() {
        return str;
    }
    // SAFETY: the caller's memory has room for n bytes.
    let got = unsafe { transfer::get_line(stream, str.cast(), room - 1) };
    if got == 0 && room > 1 {
        return ptr::null_mut();
    }
    // SAFETY: `got` is at most n - 1, and the caller's memory has room for n bytes.
    unsafe { *str.wrapping_add(got) = 0 };
    str
}

/// Tells whether reading has met the end of the stream. Does not look ahead: after 0 the next read
/// may still find the end.
///
/// Returns: -1 after the end, an error or FCGX_FClose; else 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_HasSeenEOF(stream: *mut FCGX_Stream) -> c_int {
    // SAFETY: the caller passes a stream or NULL.
    let ended = unsafe { Stream::new(stream) }.is_none_or(Stream::is_closed);
    if ended { EOF } else { 0 }
}

/// Writes one byte.
///
/// Parameters:
/// - stream: not NULL.
///
/// Returns: the byte, 0 to 255; -1 on failure.
///
/// Side effects: as FCGX_PutStr.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_PutChar(c: c_int, stream: *mut FCGX_Stream) -> c_int {
    // SAFETY: the caller passes a stream.
    transfer::put_char(unsafe { Stream::new_unchecked(stream) }, c)
}

/// Writes n bytes.
///
/// Parameters:
/// - str: may be NULL if n is 0.
/// - stream: not NULL.
///
/// Returns: n; -1 on failure, also if n is negative: it is unspecified then how many bytes were
/// sent.
///
/// Errors: the stream keeps the error, for example EPIPE or ECONNRESET if the web server has closed
/// the connection.
///
/// Side effects: sends what was written when the buffer is full (about 8 KB at first), on
/// FCGX_FFlush, and at the end of the stream. Many bytes at once are sent from the caller's memory,
/// without a copy.
///
/// Specification: 5.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_PutStr(
    str: *const c_char,
    n: c_int,
    stream: *mut FCGX_Stream,
) -> c_int {
    // SAFETY: the caller passes a stream.
    let stream = unsafe { Stream::new_unchecked(stream) };
    // SAFETY: the caller's memory has n bytes. A negative n becomes larger than any memory: refused.
    if unsafe { transfer::put_bytes(stream, str.cast(), n as isize as usize) } { n } else { EOF }
}

/// Writes a string, without its NUL.
///
/// Returns: the number of bytes (INT_MAX if there are more); -1 on failure.
///
/// Side effects: as FCGX_PutStr.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_PutS(str: *const c_char, stream: *mut FCGX_Stream) -> c_int {
    // SAFETY: the caller passes a stream or NULL.
    let stream = unsafe { Stream::new(stream) };
    let (Some(stream), false) = (stream, str.is_null()) else { return EOF };
    // SAFETY: the caller passes a C string.
    let bytes = unsafe { CStr::from_ptr(str) }.to_bytes();
    // SAFETY: `bytes` is the caller's string.
    let put = unsafe { transfer::put_bytes(stream, bytes.as_ptr(), bytes.len()) };
    if put { c_int::try_from(bytes.len()).unwrap_or(c_int::MAX) } else { EOF }
}

/// Sends what was written. Sends nothing if the buffer is empty. Does nothing on a reader, and on a
/// stream that has ended, also by an error.
///
/// Returns: 0; -1 if this flush failed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_FFlush(stream: *mut FCGX_Stream) -> c_int {
    // SAFETY: the caller passes a stream or NULL.
    unsafe { Stream::new(stream) }.map_or(EOF, Stream::flush)
}

/// Ends a stream. On a writer it sends what was written and the end of the stream; after both out
/// and err it also sends FCGI_END_REQUEST, so that the web server has the whole response. On a
/// reader nothing more can be read. FCGX_Finish_r does all of this itself.
///
/// Returns: 0, also for NULL; -1 if the stream has an error that was not cleared.
///
/// Errors: the stream's error, if that is positive.
///
/// Side effects: the struct stays; FCGX_FreeStream frees that of FCGX_CreateWriter.
///
/// Specification: 5.3, 5.5.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_FClose(stream: *mut FCGX_Stream) -> c_int {
    // SAFETY: the caller passes a stream or NULL.
    let Some(stream) = (unsafe { Stream::new(stream) }) else { return 0 };
    let result = stream.close();
    if result == EOF && stream.error() > 0 {
        set_errno(stream.error());
    }
    result
}

/// Returns the first error of a stream.
///
/// Returns: 0 without an error and for NULL; positive: errno of the failed system call; negative:
/// FCGX_PROTOCOL_ERROR, FCGX_UNSUPPORTED_VERSION or FCGX_CALL_SEQ_ERROR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_GetError(stream: *mut FCGX_Stream) -> c_int {
    // SAFETY: the caller passes a stream or NULL.
    unsafe { Stream::new(stream) }.map_or(0, Stream::error)
}

/// Clears the error of a stream. A stream that has ended stays at its end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_ClearError(stream: *mut FCGX_Stream) {
    // SAFETY: the caller passes a stream or NULL.
    if let Some(stream) = unsafe { Stream::new(stream) } {
        stream.set_error(0);
    }
}

/// The smallest and the largest content of a full record of FCGX_CreateWriter.
const WRITER_CONTENT: (c_int, c_int) = (24, 65_528);

/// A stream of FCGX_CreateWriter, with the sending side of its connection.
#[repr(C)]
struct Created {
    output: Output,
    sending: Sending,
}

/// Makes a stream that writes records to any descriptor, such as FCGI_PARAMS and FCGI_STDIN from
/// the web server's side. FCGX_FClose ends it, and FCGX_FreeStream frees it.
///
/// Parameters:
/// - socket: the descriptor. It stays the program's and is never closed here.
/// - requestId: the request id of the records, 0 to 65535.
/// - bufflen: the bytes of a full record, header included. The library takes it as at least 32 and
///   at most 65536, rounded up to a multiple of 8.
/// - streamType: the type of the records.
///
/// Returns: the stream; NULL on failure.
///
/// Errors: ENOMEM if memory is short.
///
/// Specification: 3.3, 5.3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_CreateWriter(
    socket: c_int,
    requestId: c_int,
    bufflen: c_int,
    streamType: c_int,
) -> *mut FCGX_Stream {
    let (least, most) = WRITER_CONTENT;
    let content = (bufflen.clamp(least + 8, most + 8) + 7) / 8 * 8 - 8;
    let kind = RecordType::from_byte(streamType as u8);
    let stream = RecordStream { kind, id: requestId as u16 };
    let created = boxed(Created { output: Output::new(), sending: Sending::new() });
    let Ok(created) = created.map(Box::into_raw) else {
        set_errno(libc::ENOMEM);
        return ptr::null_mut();
    };
    // SAFETY: `created` is a fresh allocation, whose parts live until FCGX_FreeStream.
    unsafe {
        (*created).output.writer.sends_by(&raw const (*created).sending);
        if (*created).output.writer.for_descriptor(socket, stream, content as usize).is_err() {
            drop(Box::from_raw(created));
            set_errno(libc::ENOMEM);
            return ptr::null_mut();
        }
        Output::open(&raw mut (*created).output);
        &raw mut (*created).output.stream
    }
}

/// Frees a stream of FCGX_CreateWriter. What was not flushed is lost.
///
/// Parameters:
/// - stream: where the program keeps its pointer, which becomes NULL. Streams of requests are not
///   freed: they belong to their request.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_FreeStream(stream: *mut *mut FCGX_Stream) {
    if stream.is_null() {
        return;
    }
    // SAFETY: the caller passes a variable that points to a stream or is NULL.
    let freed = unsafe { ptr::replace(stream, ptr::null_mut()) };
    // SAFETY: the caller's pointer was NULL or that of a stream.
    let Some(cursor) = (unsafe { Stream::new(freed) }) else { return };
    let output = writer::output_of(cursor);
    if !output.is_null() && request::request_of(cursor).is_null() {
        // SAFETY: only FCGX_CreateWriter makes outputs without a request, as the first field of a Created
        // from a Box. The caller does not use the stream again.
        drop(unsafe { Box::from_raw(output.cast::<Created>()) });
    }
}
