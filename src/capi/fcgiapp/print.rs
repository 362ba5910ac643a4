//! The printf family as the header shows it. `src/shim/printf.c` defines it: functions with a
//! variable number of arguments cannot be written in stable Rust.

use std::ffi::{c_char, c_int};

use super::types::{FCGX_Stream, va_list};

unsafe extern "C" {
    /// Writes as the C library's fprintf does: every conversion that it knows works here too.
    ///
    /// Results: the number of bytes written; negative when the stream has ended or is for reading,
    /// on a write error, and on what fprintf rejects.
    ///
    /// Side effects: as FCGX_PutStr. The text is made in the stream's buffer if it fits there,
    /// without other memory.
    pub fn FCGX_FPrintF(stream: *mut FCGX_Stream, format: *const c_char, ...) -> c_int;

    /// FCGX_FPrintF with its arguments in a va_list, whose value is unspecified afterwards.
    pub fn FCGX_VFPrintF(stream: *mut FCGX_Stream, format: *const c_char, arg: va_list) -> c_int;
}
