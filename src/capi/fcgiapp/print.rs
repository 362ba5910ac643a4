//! The declarations of the printf family, for the header. The functions are in `src/shim/printf.c`, since
//! stable Rust has no variadic functions.

use std::ffi::{c_char, c_int};

use crate::capi::layout::{FCGX_Stream, va_list};

unsafe extern "C" {
    /// Writes formatted text, with every conversion of the C library's fprintf.
    ///
    /// Returns: the number of bytes written; negative if the stream has ended or is for reading, on
    /// a write error, and on what fprintf rejects.
    ///
    /// Side effects: as FCGX_PutStr. Text that fits into the stream's buffer is made there, without
    /// other memory.
    pub fn FCGX_FPrintF(stream: *mut FCGX_Stream, format: *const c_char, ...) -> c_int;

    /// Writes formatted text as FCGX_FPrintF does, with its arguments in a va_list, whose value is
    /// unspecified afterwards.
    ///
    /// Returns: as FCGX_FPrintF.
    ///
    /// Side effects: as FCGX_FPrintF.
    pub fn FCGX_VFPrintF(stream: *mut FCGX_Stream, format: *const c_char, arg: va_list) -> c_int;
}
