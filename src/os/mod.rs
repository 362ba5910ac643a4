//! Every system call, as safe functions over descriptors.
//!
//! Descriptors are plain numbers ([`std::os::fd::RawFd`]): they belong to the C program, which may
//! close them at any time. A wrong number is an error, never undefined behaviour.

pub(crate) mod unix;
pub(crate) use unix::*;
