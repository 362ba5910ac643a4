//! A drop-in replacement for libfcgi, the FastCGI Developer's Kit library.
//!
//! The crate is built as a C library (see the Makefile). Its layers, from the wire to C:
//!
//! * [`protocol`]: the FastCGI 1.0 specification: bytes to values and back. No I/O, no clock.
//! * [`os`]: every system call, as safe functions over descriptors.
//! * [`serve`]: the life of a FastCGI application: waiting, connections, requests.
//! * [`capi`]: C names, C layouts, C pointers.
//!
//! Calls go one way: from capi to serve, from serve to protocol and os. Beside these layers are `src/shim`
//! (the printf family, in C), `src/cxx` (libfcgi++, in C++) and `src/bin/cgi-fcgi` (the bridge from CGI,
//! which uses protocol and os).

#![warn(rustdoc::broken_intra_doc_links)]
#![allow(
    rustdoc::private_intra_doc_links,
    reason = "the documentation is for those who work on the library: cargo doc --document-private-items"
)]

pub mod capi;
pub mod internals;
mod os;
mod protocol;
mod serve;
