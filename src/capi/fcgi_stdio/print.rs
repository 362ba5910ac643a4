//! The printf family as the header shows it. `src/shim/printf.c` defines it: functions with a
//! variable number of arguments cannot be written in stable Rust.

use libc::{c_char, c_int};

use super::FCGI_FILE;
use crate::capi::fcgiapp::va_list;

unsafe extern "C" {
    /// Writes as the C library's fprintf does: every conversion that it knows works here too.
    ///
    /// Results: the number of bytes written; negative when the stream is closed or for reading, on a
    /// write error, and on what fprintf rejects. A text that fails half-way may be written in part.
    ///
    /// Thread safety: one thread at a time per stream.
    pub fn FCGI_fprintf(fp: *mut FCGI_FILE, format: *const c_char, ...) -> c_int;

    /// FCGI_fprintf to FCGI_stdout.
    pub fn FCGI_printf(format: *const c_char, ...) -> c_int;

    /// FCGI_fprintf with its arguments in a va_list, whose value is unspecified afterwards.
    pub fn FCGI_vfprintf(fp: *mut FCGI_FILE, format: *const c_char, ap: va_list) -> c_int;

    /// FCGI_vfprintf to FCGI_stdout.
    pub fn FCGI_vprintf(format: *const c_char, ap: va_list) -> c_int;
}
