//! The source of `fcgi_stdio.h`: C stdio for FastCGI programs.
//!
//! A `FCGI_FILE` stands for a stream of the request or for a FILE of the C library, and every
//! function here asks `target` which of the two it has in hand. Files go to the C library's
//! function of the same name, streams to the one in [`crate::capi::fcgiapp`].
//!
//! The standard streams are one object for the whole process, so that all of this is meant for
//! programs that serve one request at a time.

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
