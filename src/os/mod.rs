//! Every system call, as functions over descriptors that the rest of the crate can call safely.
//!
//! Descriptors are plain numbers ([`std::os::fd::RawFd`]): they belong to the C program, which may
//! close them at any time. A wrong number gives an error, never undefined behaviour.

pub mod unix;
pub use unix::*;
