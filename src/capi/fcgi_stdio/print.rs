//! The declarations of the printf family, for the header. The functions are in `src/shim/printf.c`, since
//! stable Rust has no variadic functions.

use libc::{c_char, c_int};

use super::target::FCGI_FILE;
use crate::capi::fcgiapp::va_list;

unsafe extern "C" {
    /// Writes formatted text, with every conversion of the C library's fprintf.
    ///
    /// Returns: the number of bytes written; negative if the stream is closed or for reading, on a
    /// write error, and on what fprintf rejects. Text that fails half-way may be written in part.
    pub fn FCGI_fprintf(fp: *mut FCGI_FILE, format: *const c_char, ...) -> c_int;

    /// Writes formatted text to FCGI_stdout.
    ///
    /// Returns: as FCGI_fprintf.
    pub fn FCGI_printf(format: *const c_char, ...) -> c_int;

    /// Writes formatted text as FCGI_fprintf does, with its arguments in a va_list, whose value is
    /// unspecified afterwards.
    ///
    /// Returns: as FCGI_fprintf.
    pub fn FCGI_vfprintf(fp: *mut FCGI_FILE, format: *const c_char, ap: va_list) -> c_int;

    /// Writes formatted text to FCGI_stdout, with its arguments in a va_list, whose value is
    /// unspecified afterwards.
    ///
    /// Returns: as FCGI_fprintf.
    pub fn FCGI_vprintf(format: *const c_char, ap: va_list) -> c_int;
}
