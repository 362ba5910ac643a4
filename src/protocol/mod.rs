//! The FastCGI 1.0 specification as values: bytes in, values out, and back.
//!
//! This layer has no I/O, reads no clock and needs `core` only. Nothing in it allocates, and no bytes make
//! it panic.
//!
//! Reading order: [`record`] (the 8-byte header), [`body`] (fixed-size contents), [`name_value`]
//! (pairs), [`reader`] (where one record ends and the next begins), [`route`] (what a record means
//! to an application), [`management`] and [`writer`] (what is sent back).

#![forbid(unsafe_code)]

pub mod body;
pub mod management;
pub mod name_value;
pub mod reader;
pub mod record;
pub mod route;
pub mod writer;

pub use body::{BeginRequest, EndRequest, ProtocolStatus, Role};
pub use reader::{Reader, Step};
pub use record::{HEADER_LEN, Header, RecordType};
