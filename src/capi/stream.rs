//! The cursor of an `FCGX_Stream`: its public fields and its procedures. Works on every stream, also on
//! one that the program made.

use std::ffi::{c_int, c_uchar};
use std::ptr::{self, NonNull};

use super::layout::FCGX_Stream;

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
pub(super) fn distance(from: *mut c_uchar, to: *mut c_uchar) -> usize {
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

    pub(super) fn advance_read(self, n: usize) {
        self.set_next_read(self.next_read().wrapping_add(n));
    }

    pub(super) fn advance_write(self, n: usize) {
        self.set_next_write(self.next_write().wrapping_add(n));
    }

    /// Whether `isReader` is 1 and `isClosed` 0, the usual state, in one comparison.
    #[inline]
    pub(super) fn is_open_reader(self) -> bool {
        // SAFETY: as in `fields!`; the two ints lie side by side, and every field of the struct
        // is aligned for both together.
        let both = unsafe { (&raw const (*self.0.as_ptr()).isReader).cast::<[c_int; 2]>().read() };
        both == [1, 0]
    }

    /// Whether reading can give anything: what is ahead in a closed stream cannot be read.
    pub(super) fn can_read(self) -> bool {
        !self.is_closed() && self.is_reader()
    }

    /// Asks the stream's procedure for more to read. False at the end.
    pub(super) fn refill(self) -> bool {
        // SAFETY: as in `fields!`.
        let Some(fill) = (unsafe { (*self.0.as_ptr()).fillBuffProc }) else { return false };
        // SAFETY: the procedure belongs to this stream; that is what it is for.
        unsafe { fill(self.as_ptr()) };
        self.set_stop_unget(self.next_read());
        self.readable() > 0
    }

    /// Calls the stream's procedure to send what is there. False if there is none.
    pub(super) fn empty(self, close: c_int) -> bool {
        // SAFETY: as in `fields!`.
        let Some(empty) = (unsafe { (*self.0.as_ptr()).emptyBuffProc }) else { return false };
        // SAFETY: the procedure belongs to this stream; that is what it is for.
        unsafe { empty(self.as_ptr(), close) };
        true
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
    pub(super) unsafe fn copy_out(self, to: *mut c_uchar, n: usize) -> usize {
        let n = n.min(self.readable());
        if n > 0 {
            // SAFETY: readable bytes lie in the stream's buffer; the caller vouches for `to`.
            unsafe { ptr::copy(self.next_read(), to, n) };
            self.advance_read(n);
        }
        n
    }

    /// Copies `n` bytes to where there is room for them.
    ///
    /// # Safety
    ///
    /// `from` may be read for `n` bytes, and there is room for `n`.
    #[inline]
    pub(super) unsafe fn copy_in(self, from: *const c_uchar, n: usize) {
        let place = self.next_write();
        self.advance_write(n);
        // SAFETY: the room lies in the stream's buffer; the caller vouches for `from`.
        unsafe { ptr::copy(from, place, n) };
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
