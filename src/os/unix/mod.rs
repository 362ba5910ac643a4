//! Unix: one file per subject.

pub mod address;
pub mod async_io;
pub mod children;
pub mod error;
pub mod fork;
pub mod io;
pub mod lock;
pub mod mark;
pub mod memory;
pub mod poll;
pub mod signal;
pub mod socket;
pub mod spawn;
pub mod threads;
