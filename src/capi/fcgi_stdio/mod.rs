//! The source of `fcgi_stdio.h`: C stdio for FastCGI programs.
//!
//! A `FCGI_FILE` is a stream of the request or a FILE of the C library; `target` tells which. The functions
//! here call the C library's function of the same name for a FILE, and one of [`crate::capi::fcgiapp`] for a
//! stream.
//!
//! The standard streams are global to the process, so this header is for programs that serve one request
//! at a time.

mod accept;
mod file;
mod print;
mod target;
mod text;

pub use accept::*;
pub use file::*;
pub use print::*;
pub use target::*;
pub use text::*;
