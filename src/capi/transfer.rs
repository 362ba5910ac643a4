//! Reading and writing streams: in their buffers, through their procedures when a buffer is used up, and
//! directly from or to the socket where a stream is the library's and there is much to move.

use std::ffi::{c_int, c_uchar};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::stream::{EOF, Stream, distance};
use super::{reader, writer};

/// Reads the next byte. Returns it, or [`EOF`].
#[inline]
pub(super) fn get_char(stream: Stream) -> c_int {
    // SAFETY: `Stream::new` was promised that the struct is there.
    let place = unsafe { AtomicPtr::from_ptr(&raw mut (*stream.as_ptr()).rdNext) };
    let next = place.load(Ordering::Relaxed);
    if !stream.is_open_reader() || next >= stream.stop() {
        return get_char_slowly(stream);
    }
    // Atomic not for other threads, but because the compiler makes one instruction of it.
    place.store(place.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    // SAFETY: `next` is below `stop`, so its maker says that it is in the stream's buffer.
    c_int::from(unsafe { *next })
}

#[cold]
fn get_char_slowly(stream: Stream) -> c_int {
    let mut byte = 0;
    // SAFETY: `byte` has room for one byte.
    let got = unsafe { get_bytes(stream, &raw mut byte, 1) };
    if got == 1 { c_int::from(byte) } else { EOF }
}

/// Reads `n` bytes, fewer only at the end of the stream. Returns how many.
///
/// # Safety
///
/// `to` may be written for `n` bytes.
#[inline]
pub(super) unsafe fn get_bytes(stream: Stream, to: *mut c_uchar, n: usize) -> usize {
    let next = stream.next_read();
    if stream.is_open_reader() && n <= stream.readable() {
        stream.advance_read(n);
        // SAFETY: readable bytes are in the stream's buffer; the caller lets `to` be written.
        unsafe { ptr::copy(next, to, n) };
        return n;
    }
    // SAFETY: the caller lets `to` be written for `n` bytes.
    unsafe { get_more(stream, to, n) }
}

/// Reads more bytes than are in the buffer.
///
/// # Safety
///
/// As for [`get_bytes`].
#[cold]
unsafe fn get_more(stream: Stream, to: *mut c_uchar, n: usize) -> usize {
    let mut got = 0;
    while stream.can_read() {
        let place = to.wrapping_add(got);
        // SAFETY: the caller lets `to` be written for `n` bytes, and `got` of them are used.
        got += unsafe { stream.copy_out(place, n - got) };
        if got >= n {
            break;
        }
        let place = to.wrapping_add(got);
        // SAFETY: the caller lets `to` be written for `n` bytes, and `got` of them are used.
        match unsafe { reader::get_directly(stream, place, n - got) } {
            Some(direct) => got += direct,
            None if !stream.refill() => break,
            None => {}
        }
    }
    got
}

/// Reads at most `n` bytes: waits for the first one only. Returns how many; 0 at the end and after an error.
///
/// # Safety
///
/// `to` may be written for `n` bytes.
pub(super) unsafe fn get_some(stream: Stream, to: *mut c_uchar, n: usize) -> usize {
    while n > 0 && stream.can_read() {
        // SAFETY: the caller lets `to` be written for `n` bytes.
        let got = unsafe { stream.copy_out(to, n) };
        if got > 0 {
            return got;
        }
        // SAFETY: the caller lets `to` be written for `n` bytes.
        match unsafe { reader::get_directly(stream, to, n) } {
            Some(0) => {}
            Some(direct) => return direct,
            None if !stream.refill() => break,
            None => {}
        }
    }
    0
}

/// Reads up to and including a line feed, at most `n` bytes. Returns how many; 0 at the end.
///
/// # Safety
///
/// `to` may be written for `n` bytes.
pub(super) unsafe fn get_line(stream: Stream, to: *mut c_uchar, n: usize) -> usize {
    let mut got = 0;
    while got < n && stream.can_read() && (stream.readable() > 0 || stream.refill()) {
        let look = stream.readable().min(n - got);
        // SAFETY: readable bytes are in the stream's buffer.
        let found = unsafe { libc::memchr(stream.next_read().cast(), c_int::from(b'\n'), look) };
        let end = !found.is_null();
        let take = if end { distance(stream.next_read(), found.cast()) + 1 } else { look };
        // SAFETY: the caller lets `to` be written for `n` bytes, and `got` of them are used.
        got += unsafe { stream.copy_out(to.wrapping_add(got), take) };
        if end {
            break;
        }
    }
    got
}

/// Writes one byte. Returns it, or [`EOF`].
#[inline]
pub(super) fn put_char(stream: Stream, c: c_int) -> c_int {
    let next = stream.next_write();
    if next >= stream.stop() {
        return put_char_slowly(stream, c);
    }
    stream.advance_write(1);
    // SAFETY: `next` is below `stop`, so its maker says that it is in the stream's buffer.
    unsafe { *next = c as c_uchar };
    c_int::from(c as c_uchar)
}

#[cold]
#[inline(never)]
fn put_char_slowly(stream: Stream, c: c_int) -> c_int {
    let byte = c as c_uchar;
    // SAFETY: `byte` is one byte.
    let put = unsafe { put_bytes(stream, &raw const byte, 1) };
    if put { c_int::from(byte) } else { EOF }
}

/// Makes room for more bytes, by sending if necessary. Returns false if there is none.
fn make_room(stream: Stream) -> bool {
    let open = !stream.is_closed() && !stream.is_reader();
    open && (writer::open_next(stream) || stream.empty(0)) && stream.writable() > 0
}

/// Writes `n` bytes. Returns false after an error: some of them are lost.
///
/// # Safety
///
/// `from` may be read for `n` bytes.
#[inline]
pub(super) unsafe fn put_bytes(stream: Stream, from: *const c_uchar, n: usize) -> bool {
    if stream.stop() < stream.next_write() || n > stream.writable() {
        // SAFETY: the caller lets `from` be read for `n` bytes.
        return unsafe { put_more(stream, from, n) };
    }
    // SAFETY: the caller lets `from` be read for `n` bytes; the buffer has room for them.
    unsafe { stream.copy_in(from, n) };
    true
}

/// Writes more bytes than the buffer has room for.
///
/// # Safety
///
/// As for [`put_bytes`].
#[cold]
unsafe fn put_more(stream: Stream, mut from: *const c_uchar, mut n: usize) -> bool {
    // No object is larger than that: C has passed a negative length.
    if n > isize::MAX as usize {
        return false;
    }
    loop {
        // SAFETY: the caller lets `from` be read for `n` bytes; both move on together.
        if let Some(sent) = unsafe { writer::put_directly(stream, from, n) } {
            return sent;
        }
        let now = stream.writable().min(n);
        if now > 0 {
            // SAFETY: the caller lets `from` be read for `n` bytes; the buffer has room for `now`.
            unsafe { stream.copy_in(from, now) };
            (from, n) = (from.wrapping_add(now), n - now);
        }
        if n == 0 {
            return true;
        }
        if !make_room(stream) {
            return false;
        }
    }
}

#[cfg(test)]
mod tests;
