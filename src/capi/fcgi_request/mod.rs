//! The source of `fcgi_request.h`: requests without structs, for bindings and event loops.

mod constants;
mod library;
mod nonblocking;
mod params;
mod request;
mod result;
mod transfer;

pub use constants::*;
pub use library::*;
pub use nonblocking::*;
pub use params::*;
pub use request::*;
pub use result::*;
pub use transfer::*;
