//! The cursor of an `FCGX_Stream`: its public fields and its procedures. It works on every stream, including
//! those that a program has made.

use std::ffi::{c_int, c_uchar};
use std::ptr::{self, NonNull};

use super::layout::FCGX_Stream;

/// The result of reading and writing at the end of a stream, and after an error.
pub(super) const EOF: c_int = -1;

/// A stream from C, for one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream(NonNull<FCGX_Stream>);

macro_rules! fields {
    ($($(#[$doc:meta])* $get:ident $set:ident $field:ident: $type:ty;)*) => {$(
        $(#[$doc])*
        pub(crate) fn $get(self) -> $type {
            // SAFETY: `Stream::new` was promised that the struct is there.
            unsafe { (*self.0.as_ptr()).$field }
        }

        $(#[$doc])*
        pub(crate) fn $set(self, value: $type) {
            // SAFETY: `Stream::new` was promised that the struct is there.
            unsafe { (*self.0.as_ptr()).$field = value }
        }
    )*};
}

/// Returns the number of bytes from `from` to `to`; 0 if `to` is below `from`, or both are NULL.
pub(super) fn distance(from: *mut c_uchar, to: *mut c_uchar) -> usize {
    (to as usize).saturating_sub(from as usize)
}

impl Stream {
    /// Makes a `Stream` of a pointer from C that is not NULL.
    ///
    /// # Safety
    ///
    /// As for [`Stream::new`], and `stream` is not NULL.
    #[inline]
    pub(super) unsafe fn new_unchecked(stream: *mut FCGX_Stream) -> Self {
        // SAFETY: the caller passes a pointer that is not NULL.
        Self(unsafe { NonNull::new_unchecked(stream) })
    }

    /// Makes a `Stream` of a pointer from C. Returns `None` for NULL.
    ///
    /// # Safety
    ///
    /// `stream` is NULL or points to an `FCGX_Stream` that lives as long as the result is used, and whose
    /// fields describe memory that may be read or written.
    pub(super) unsafe fn new(stream: *mut FCGX_Stream) -> Option<Self> {
        NonNull::new(stream).map(Self)
    }

    fields! {
        /// The next byte to read.
        next_read set_next_read rdNext: *mut c_uchar;
        /// The next byte to write.
        next_write set_next_write wrNext: *mut c_uchar;
        /// The end of the bytes that can be read or written.
        stop set_stop stop: *mut c_uchar;
        /// The lowest position to which a byte may be pushed back.
        stop_unget set_stop_unget stopUnget: *mut c_uchar;
        /// The field `isClosed`.
        closed set_closed isClosed: c_int;
        /// The field `wasFCloseCalled`.
        close_called set_close_called wasFCloseCalled: c_int;
        /// The field `FCGI_errno`.
        error set_error FCGI_errno: c_int;
    }

    /// Returns the pointer to the struct.
    pub(super) fn as_ptr(self) -> *mut FCGX_Stream {
        self.0.as_ptr()
    }

    /// Returns whether it is a stream to read from.
    pub(super) fn is_reader(self) -> bool {
        // SAFETY: `Stream::new` was promised that the struct is there.
        unsafe { (*self.0.as_ptr()).isReader != 0 }
    }

    /// Returns whether it has ended.
    pub(super) fn is_closed(self) -> bool {
        self.closed() != 0
    }

    /// Sets the error, unless there is one already, and ends the stream.
    pub(super) fn fail(self, error: c_int) {
        if self.error() == 0 {
            self.set_error(error);
        }
        self.set_closed(1);
    }

    /// Puts a reader's cursor at `next`, with everything up to `stop` readable.
    pub(super) fn set_readable(self, next: *mut c_uchar, stop: *mut c_uchar) {
        self.set_next_read(next);
        self.set_stop(stop);
        self.set_next_write(stop);
    }

    /// Puts a writer's cursor at `next`, with room up to `stop`.
    pub(super) fn set_writable(self, next: *mut c_uchar, stop: *mut c_uchar) {
        self.set_next_write(next);
        self.set_stop(stop);
        self.set_next_read(stop);
    }

    /// Returns how many bytes can be read without calling the procedure.
    pub(super) fn readable(self) -> usize {
        distance(self.next_read(), self.stop())
    }

    /// Returns how many bytes can be written without calling the procedure.
    pub(super) fn writable(self) -> usize {
        distance(self.next_write(), self.stop())
    }

    pub(super) fn advance_read(self, n: usize) {
        self.set_next_read(self.next_read().wrapping_add(n));
    }

    pub(super) fn advance_write(self, n: usize) {
        self.set_next_write(self.next_write().wrapping_add(n));
    }

    /// Returns whether `isReader` is 1 and `isClosed` 0, the usual state, with one comparison.
    #[inline]
    pub(super) fn is_open_reader(self) -> bool {
        // SAFETY: `Stream::new` was promised that the struct is there; the two ints are adjacent, and an
        // array of two has their alignment.
        let both = unsafe { (&raw const (*self.0.as_ptr()).isReader).cast::<[c_int; 2]>().read() };
        both == [1, 0]
    }

    /// Returns whether reading can return anything: in a closed stream even buffered bytes cannot be read.
    pub(super) fn can_read(self) -> bool {
        !self.is_closed() && self.is_reader()
    }

    /// Calls the stream's procedure for more to read. Returns false at the end.
    pub(super) fn refill(self) -> bool {
        // SAFETY: `Stream::new` was promised that the struct is there.
        let Some(fill) = (unsafe { (*self.0.as_ptr()).fillBuffProc }) else { return false };
        // SAFETY: the stream's maker has set this procedure for calls with this stream.
        unsafe { fill(self.as_ptr()) };
        self.set_stop_unget(self.next_read());
        self.readable() > 0
    }

    /// Calls the stream's procedure to send what was written. Returns false if it has no procedure.
    pub(super) fn empty(self, close: c_int) -> bool {
        // SAFETY: `Stream::new` was promised that the struct is there.
        let Some(empty) = (unsafe { (*self.0.as_ptr()).emptyBuffProc }) else { return false };
        // SAFETY: the stream's maker has set this procedure for calls with this stream.
        unsafe { empty(self.as_ptr(), close) };
        true
    }

    /// Pushes `c` back in front of the readable bytes. Returns `c`, or [`EOF`] if there is no room.
    pub(super) fn unget_char(self, c: c_int) -> c_int {
        let next = self.next_read();
        if c == EOF || !self.can_read() || next <= self.stop_unget() {
            return EOF;
        }
        let next = next.wrapping_sub(1);
        self.set_next_read(next);
        // SAFETY: `next` is at or above `stopUnget`, from where the stream's maker lets us write.
        unsafe { *next = c as c_uchar };
        c
    }

    /// Copies up to `n` readable bytes to `to`. Returns how many.
    ///
    /// # Safety
    ///
    /// `to` may be written for `n` bytes.
    pub(super) unsafe fn copy_out(self, to: *mut c_uchar, n: usize) -> usize {
        let n = n.min(self.readable());
        if n > 0 {
            // SAFETY: readable bytes are in the stream's buffer; the caller lets `to` be written.
            unsafe { ptr::copy(self.next_read(), to, n) };
            self.advance_read(n);
        }
        n
    }

    /// Copies `n` bytes into the stream's buffer.
    ///
    /// # Safety
    ///
    /// `from` may be read for `n` bytes, and the buffer has room for `n`.
    #[inline]
    pub(super) unsafe fn copy_in(self, from: *const c_uchar, n: usize) {
        let place = self.next_write();
        self.advance_write(n);
        // SAFETY: the caller lets `from` be read, and says that the stream's buffer has the room.
        unsafe { ptr::copy(from, place, n) };
    }

    /// Sends what was written. Returns 0, or [`EOF`] after an error.
    pub(super) fn flush(self) -> c_int {
        if self.is_closed() || self.is_reader() || !self.empty(0) {
            return 0;
        }
        if self.is_closed() { EOF } else { 0 }
    }

    /// Sends what was written and ends the stream. Returns 0, or [`EOF`] if it has an error that was not
    /// cleared.
    pub(super) fn close(self) -> c_int {
        if self.close_called() == 0 {
            if !self.is_reader() {
                self.empty(1);
            }
            self.finish_close();
        }
        if self.error() == 0 { 0 } else { EOF }
    }

    /// Marks the stream as closed by the program.
    pub(super) fn finish_close(self) {
        self.set_close_called(1);
        self.set_closed(1);
        if self.is_reader() {
            self.set_readable(self.next_read(), self.next_read());
        } else {
            self.set_writable(self.next_write(), self.next_write());
        }
    }
}
