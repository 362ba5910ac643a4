//! The API for Rust programs: what the crate's root exports.
//!
//! It is a sibling of capi: it uses serve as capi does, and keeps in values what capi keeps in C structs. From
//! the ground up:
//!
//! * `channel`: the sending side of a connection. [`output`]: the response and the log. [`input`]: the body.
//! * [`streams`]: the output buffers of a request, for reuse. `kept`: the connection that a thread has kept last.
//! * [`params`] and [`request`]: a request from beginning to end. [`socket`]: where requests come from.

#![forbid(unsafe_code)]

mod channel;
mod input;
mod kept;
mod output;
mod params;
mod request;
mod socket;
mod streams;

pub use input::Body;
pub use output::{Log, Out};
pub use params::{Pairs, Params};
pub use request::{Parts, Request, Role};
pub use socket::{ListenSocket, request_shutdown};
