//! A drop-in replacement for libfcgi, the FastCGI Developer's Kit library.
//!
//! The crate is built as a C library (see the Makefile). Its layers, from the wire to C:
//!
//! * [`protocol`]: the FastCGI 1.0 specification. Bytes to values and back; no I/O, no clock.
//! * [`os`]: every system call, as safe functions over descriptors.
//! * [`serve`]: a FastCGI application's life: waiting, connections, requests.
//! * [`capi`]: C names, C layouts, C pointers.
//!
//! Data flows one way: capi asks serve, serve asks protocol and os. Beside them are `src/shim` (the
//! printf family, in C), `src/cxx` (libfcgi++, in C++) and `src/bin/cgi-fcgi` (the bridge from CGI,
//! on protocol and os).

#![warn(rustdoc::broken_intra_doc_links)]

pub mod capi;
pub mod os;
pub mod protocol;
pub mod serve;
