//! The C API: C names, C layouts, C pointers.
//!
//! A function with a C name checks its arguments, calls a Rust function and translates the result. A fact
//! that has a public field in a C struct is kept in that field only: programs read and change these fields
//! between calls, and put procedures of their own into streams. So structs are accessed through raw pointers,
//! slices are made for one statement, and no reference to anything that C can access is held across a call
//! into C.
//!
//! The files, none of which uses one that uses it, from the ground up:
//!
//! * `layout`: the C structs. `opaque`: the requests that the library makes. `private_data`: the part of the library's data whose layout programs rely on.
//! * [`stream`]: the cursor of any `FCGX_Stream`. [`writer`]: the library's data of an output stream.
//! * [`block`]: the library's data of an accepted `FCGX_Request`. [`reader`]: its body.
//! * `gone`: whether a response is still wanted. [`transfer`]: reading and writing streams.
//! * [`request`], `accept`, `finish`, `parked` and [`envp`]: a request from beginning to end, waiting for it,
//!   ending it, its connection afterwards, its parameters.
//! * [`library`]: the state of the process. `listen`: making a listen socket. [`last_resort`]: the end of the process after a panic.
//! * [`fcgiapp`], [`fcgi_stdio`], [`fcgios`], [`fcgi_request`], [`fastcgi`]: the C functions, one module per header.
//!
//! Who owns the descriptor, exchange and block of a request in each of its states is a table of
//! docs/architecture.md; tests/ownership.rs checks every cell.

#![allow(
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    reason = "the names are those of the C headers"
)]
#![allow(
    clippy::missing_safety_doc,
    rustdoc::broken_intra_doc_links,
    reason = "the comments of C functions are those of the C headers, for readers of C"
)]

mod accept;
mod block;
mod envp;
pub mod fastcgi;
pub mod fcgi_request;
pub mod fcgi_stdio;
pub mod fcgiapp;
pub mod fcgios;
mod finish;
mod gone;
mod last_resort;
mod layout;
mod library;
mod listen;
mod opaque;
mod parked;
mod private_data;
mod reader;
mod request;
mod stream;
mod transfer;
mod writer;
