//! The cursor of an `FCGX_Stream`: reading and writing through its public fields, and through its
//! procedures where these have run out. Works on every stream, also on one that the program made.

use std::ffi::{c_int, c_uchar};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};

use super::fcgiapp::FCGX_Stream;
use super::{reader, writer};

/// The end of a stream, or an error.
pub const EOF: c_int = -1;

/// A stream that C has given us for one call.
#[derive(Clone, Copy, Debug)]
pub struct Stream(NonNull<FCGX_Stream>);

macro_rules! fields {
    ($($(#[$doc:meta])* $get:ident $set:ident $field:ident: $type:ty;)*) => {$(
        $(#[$doc])*
        pub fn $get(self) -> $type {
            // SAFETY: whoever made the Stream promised that the struct is there.
            unsafe { (*self.0.as_ptr()).$field }
        }

        $(#[$doc])*
        pub fn $set(self, value: $type) {
            // SAFETY: as above.
            unsafe { (*self.0.as_ptr()).$field = value }
        }
    )*};
}

/// Bytes from `from` to `to`; 0 when they are the wrong way round or of no buffer at all.
fn distance(from: *mut c_uchar, to: *mut c_uchar) -> usize {
    (to as usize).saturating_sub(from as usize)
}

impl Stream {
    /// A stream from C, known not to be NULL.
    ///
    /// # Safety
    ///
    /// As for [`Stream::new`], and `stream` is not NULL.
    #[inline]
    pub unsafe fn new_unchecked(stream: *mut FCGX_Stream) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { NonNull::new_unchecked(stream) })
    }

    /// A stream from C.
    ///
    /// # Safety
    ///
    /// `stream` is NULL or points to an `FCGX_Stream` that stays for as long as the result is used,
    /// and whose fields describe memory that may be read or written.
    pub unsafe fn new(stream: *mut FCGX_Stream) -> Option<Self> {
        NonNull::new(stream).map(Self)
    }

    fields! {
        /// The next byte to read.
        next_read set_next_read rdNext: *mut c_uchar;
        /// The next byte to write.
        next_write set_next_write wrNext: *mut c_uchar;
        /// The end of what can be read or written.
        stop set_stop stop: *mut c_uchar;
        /// How far back reading may go.
        stop_unget set_stop_unget stopUnget: *mut c_uchar;
        /// The field `isClosed`.
        closed set_closed isClosed: c_int;
        /// The field `wasFCloseCalled`.
        close_called set_close_called wasFCloseCalled: c_int;
        /// The field `FCGI_errno`.
        error set_error FCGI_errno: c_int;
    }

    /// The struct itself.
    pub fn as_ptr(self) -> *mut FCGX_Stream {
        self.0.as_ptr()
    }

    /// Whether it is a stream to read from.
    pub fn is_reader(self) -> bool {
        // SAFETY: as in `fields!`.
        unsafe { (*self.0.as_ptr()).isReader != 0 }
    }

    /// Whether it has ended.
    pub fn is_closed(self) -> bool {
        self.closed() != 0
    }

    /// Notes an error; the first one stays. The stream ends.
    pub fn fail(self, error: c_int) {
        if self.error() == 0 {
            self.set_error(error);
        }
        self.set_closed(1);
    }

    /// Makes a reader stand at `next`, with everything up to `stop` to read.
    pub fn set_readable(self, next: *mut c_uchar, stop: *mut c_uchar) {
        self.set_next_read(next);
        self.set_stop(stop);
        self.set_next_write(stop);
    }

    /// Makes a writer stand at `next`, with room up to `stop`.
    pub fn set_writable(self, next: *mut c_uchar, stop: *mut c_uchar) {
        self.set_next_write(next);
        self.set_stop(stop);
        self.set_next_read(stop);
    }

    /// Bytes that can be read without a call.
    pub fn readable(self) -> usize {
        distance(self.next_read(), self.stop())
    }

    /// Bytes that can be written without a call.
    pub fn writable(self) -> usize {
        distance(self.next_write(), self.stop())
    }

    fn advance_read(self, n: usize) {
        self.set_next_read(self.next_read().wrapping_add(n));
    }

    fn advance_write(self, n: usize) {
        self.set_next_write(self.next_write().wrapping_add(n));
    }

    /// Whether `isReader` is 1 and `isClosed` 0, the usual state, in one comparison.
    #[inline]
    fn is_open_reader(self) -> bool {
        // SAFETY: as in `fields!`; the two ints lie side by side, and every field of the struct
        // is aligned for both together.
        let both = unsafe { (&raw const (*self.0.as_ptr()).isReader).cast::<[c_int; 2]>().read() };
        both == [1, 0]
    }

    /// Whether reading can give anything: what is ahead in a closed stream cannot be read.
    fn can_read(self) -> bool {
        !self.is_closed() && self.is_reader()
    }

    /// Asks the stream's procedure for more to read. False at the end.
    fn refill(self) -> bool {
        // SAFETY: as in `fields!`.
        let Some(fill) = (unsafe { (*self.0.as_ptr()).fillBuffProc }) else { return false };
        // SAFETY: the procedure belongs to this stream; that is what it is for.
        unsafe { fill(self.as_ptr()) };
        self.set_stop_unget(self.next_read());
        self.readable() > 0
    }

    /// Calls the stream's procedure to send what is there. False if there is none.
    fn empty(self, close: c_int) -> bool {
        // SAFETY: as in `fields!`.
        let Some(empty) = (unsafe { (*self.0.as_ptr()).emptyBuffProc }) else { return false };
        // SAFETY: the procedure belongs to this stream; that is what it is for.
        unsafe { empty(self.as_ptr(), close) };
        true
    }

    /// The next byte, or [`EOF`].
    #[inline]
    pub fn get_char(self) -> c_int {
        // SAFETY: as in `fields!`.
        let place = unsafe { AtomicPtr::from_ptr(&raw mut (*self.0.as_ptr()).rdNext) };
        let next = place.load(Ordering::Relaxed);
        if !self.is_open_reader() || next >= self.stop() {
            return self.get_char_slowly();
        }
        // Not for other threads, but for the compiler: this way the step is one instruction.
        place.store(place.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        // SAFETY: `next` is below `stop`, so it is in the stream's buffer.
        c_int::from(unsafe { *next })
    }

    #[cold]
    fn get_char_slowly(self) -> c_int {
        let mut byte = 0;
        // SAFETY: `byte` is a place for one.
        let got = unsafe { self.get_bytes(&raw mut byte, 1) };
        if got == 1 { c_int::from(byte) } else { EOF }
    }

    /// Puts `c` back in front of what can be read. `c`, or [`EOF`] if there is no room.
    pub fn unget_char(self, c: c_int) -> c_int {
        let next = self.next_read();
        if c == EOF || !self.can_read() || next <= self.stop_unget() {
            return EOF;
        }
        let next = next.wrapping_sub(1);
        self.set_next_read(next);
        // SAFETY: at or above `stopUnget`, up to which the buffer may be written.
        unsafe { *next = c as c_uchar };
        c
    }

    /// Copies up to `n` readable bytes to `to`; gives how many.
    ///
    /// # Safety
    ///
    /// `to` may be written for `n` bytes.
    unsafe fn copy_out(self, to: *mut c_uchar, n: usize) -> usize {
        let n = n.min(self.readable());
        if n > 0 {
            // SAFETY: readable bytes lie in the stream's buffer; the caller vouches for `to`.
            unsafe { ptr::copy(self.next_read(), to, n) };
            self.advance_read(n);
        }
        n
    }

    /// Reads `n` bytes, fewer only at the end of the stream. Gives how many.
    ///
    /// # Safety
    ///
    /// `to` may be written for `n` bytes.
    #[inline]
    pub unsafe fn get_bytes(self, to: *mut c_uchar, n: usize) -> usize {
        let next = self.next_read();
        if self.is_open_reader() && n <= self.readable() {
            self.advance_read(n);
            // SAFETY: readable bytes lie in the stream's buffer; the caller vouches for `to`.
            unsafe { ptr::copy(next, to, n) };
            return n;
        }
        // SAFETY: as above.
        unsafe { self.get_more(to, n) }
    }

    /// Reads more bytes than there are without a call.
    ///
    /// # Safety
    ///
    /// As for [`Stream::get_bytes`].
    #[cold]
    unsafe fn get_more(self, to: *mut c_uchar, n: usize) -> usize {
        let mut got = 0;
        while self.can_read() {
            let place = to.wrapping_add(got);
            // SAFETY: the caller's promise, for what is left of `n`.
            got += unsafe { self.copy_out(place, n - got) };
            if got >= n {
                break;
            }
            let place = to.wrapping_add(got);
            // SAFETY: as above.
            match unsafe { reader::get_directly(self, place, n - got) } {
                Some(direct) => got += direct,
                None if !self.refill() => break,
                None => {}
            }
        }
        got
    }

    /// Reads up to and including a line feed, at most `n` bytes. Gives how many; 0 at the end.
    ///
    /// # Safety
    ///
    /// `to` may be written for `n` bytes.
    pub unsafe fn get_line(self, to: *mut c_uchar, n: usize) -> usize {
        let mut got = 0;
        while got < n && self.can_read() && (self.readable() > 0 || self.refill()) {
            let look = self.readable().min(n - got);
            // SAFETY: readable bytes lie in the stream's buffer.
            let found = unsafe { libc::memchr(self.next_read().cast(), c_int::from(b'\n'), look) };
            let end = !found.is_null();
            let take = if end { distance(self.next_read(), found.cast()) + 1 } else { look };
            // SAFETY: the caller's promise, for what is left of `n`.
            got += unsafe { self.copy_out(to.wrapping_add(got), take) };
            if end {
                break;
            }
        }
        got
    }

    /// Writes one byte; gives it, or [`EOF`].
    #[inline]
    pub fn put_char(self, c: c_int) -> c_int {
        let next = self.next_write();
        if next >= self.stop() {
            return self.put_char_slowly(c);
        }
        self.advance_write(1);
        // SAFETY: `next` is below `stop`, so it is in the stream's buffer.
        unsafe { *next = c as c_uchar };
        c_int::from(c as c_uchar)
    }

    #[cold]
    #[inline(never)]
    fn put_char_slowly(self, c: c_int) -> c_int {
        let byte = c as c_uchar;
        // SAFETY: `byte` is one byte.
        let put = unsafe { self.put_bytes(&raw const byte, 1) };
        if put { c_int::from(byte) } else { EOF }
    }

    /// Makes room behind a full buffer, by sending what is there if need be. False if there is none.
    fn make_room(self) -> bool {
        let open = !self.is_closed() && !self.is_reader();
        open && (writer::open_next(self) || self.empty(0)) && self.writable() > 0
    }

    /// Writes `n` bytes. False after an error: not all of them are on their way.
    ///
    /// # Safety
    ///
    /// `from` may be read for `n` bytes.
    #[inline]
    pub unsafe fn put_bytes(self, from: *const c_uchar, n: usize) -> bool {
        if self.stop() < self.next_write() || n > self.writable() {
            // SAFETY: the caller's promise.
            return unsafe { self.put_more(from, n) };
        }
        // SAFETY: the caller's promise; there is room.
        unsafe { self.copy_in(from, n) };
        true
    }

    /// Copies `n` bytes to where there is room for them.
    ///
    /// # Safety
    ///
    /// `from` may be read for `n` bytes, and there is room for `n`.
    #[inline]
    unsafe fn copy_in(self, from: *const c_uchar, n: usize) {
        let place = self.next_write();
        self.advance_write(n);
        // SAFETY: the room lies in the stream's buffer; the caller vouches for `from`.
        unsafe { ptr::copy(from, place, n) };
    }

    /// Writes more bytes than there is room for.
    ///
    /// # Safety
    ///
    /// As for [`Stream::put_bytes`].
    #[cold]
    unsafe fn put_more(self, mut from: *const c_uchar, mut n: usize) -> bool {
        // No memory is larger: C has passed a negative length.
        if n > isize::MAX as usize {
            return false;
        }
        loop {
            // SAFETY: the caller's promise, for what is left of `n`.
            if let Some(sent) = unsafe { writer::put_directly(self, from, n) } {
                return sent;
            }
            let now = self.writable().min(n);
            if now > 0 {
                // SAFETY: the caller's promise; there is room.
                unsafe { self.copy_in(from, now) };
                (from, n) = (from.wrapping_add(now), n - now);
            }
            if n == 0 {
                return true;
            }
            if !self.make_room() {
                return false;
            }
        }
    }

    /// Sends what is there. [`EOF`] after an error.
    pub fn flush(self) -> c_int {
        if self.is_closed() || self.is_reader() || !self.empty(0) {
            return 0;
        }
        if self.is_closed() { EOF } else { 0 }
    }

    /// Ends the stream; what is there is sent first. [`EOF`] if there is an error that was not
    /// cleared.
    pub fn close(self) -> c_int {
        if self.close_called() == 0 {
            if !self.is_reader() {
                self.empty(1);
            }
            self.finish_close();
        }
        if self.error() == 0 { 0 } else { EOF }
    }

    /// Marks the stream as closed by the program.
    pub fn finish_close(self) {
        self.set_close_called(1);
        self.set_closed(1);
        if self.is_reader() {
            self.set_readable(self.next_read(), self.next_read());
        } else {
            self.set_writable(self.next_write(), self.next_write());
        }
    }
}

#[cfg(test)]
mod tests;
