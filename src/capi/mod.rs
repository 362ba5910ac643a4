//! The C API: C names, C layouts, C pointers.
//!
//! A function with a C name checks what it was given, calls, translates the result. What the C
//! structs have a public field for lives in that field only; programs read and change these
//! fields between calls and install procedures of their own in streams. Places are reached
//! through raw pointers, slices are made for one statement, and no reference to anything C can
//! reach is held across a call that C may answer.
//!
//! From the ground up, each file knowing those before it:
//!
//! * `layout`: the C structs. `private_data`: what programs may know of what stands behind them.
//! * [`stream`]: the cursor of an `FCGX_Stream`, whoever made it. [`writer`]: what stands behind one to
//!   write to.
//! * [`block`]: what stands behind an `FCGX_Request` that we accepted. [`reader`]: its body.
//! * [`transfer`]: reading and writing streams.
//! * [`request`], `parked` and [`envp`]: a request from its beginning to its end, its connection
//!   afterwards, its parameters.
//! * [`library`]: what there is once in a process. [`last_resort`]: where panics end.
//! * [`fcgiapp`], [`fcgi_stdio`], [`fcgios`], [`fastcgi`]: the functions, one module a header.
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

pub mod block;
pub mod envp;
pub mod fastcgi;
pub mod fcgi_stdio;
pub mod fcgiapp;
pub mod fcgios;
pub mod last_resort;
mod layout;
pub mod library;
mod parked;
mod private_data;
pub mod reader;
pub mod request;
pub mod stream;
pub mod transfer;
pub mod writer;
