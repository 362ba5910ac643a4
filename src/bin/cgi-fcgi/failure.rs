//! Why the program gives up: one line for people, one number for scripts.

use std::fmt::Display;
use std::io::{self, Write};

use fcgi::os::error::{errno_of, words};

/// The exit status when the application breaks the protocol or refuses the request.
pub(crate) const PROTOCOL_STATUS: u8 = 253;

/// The exit status when the application speaks another version of the protocol.
pub(crate) const VERSION_STATUS: u8 = 254;

/// The exit status when the host of a connection name is not known.
pub(crate) const NAME_STATUS: u8 = 232;

/// The exit status when `--timeout` runs out: ETIMEDOUT on most systems.
pub(crate) const TIMEOUT_STATUS: u8 = 110;

/// The exit status for everything else, a wrong command line included.
pub(crate) const OTHER_STATUS: u8 = 1;

/// A line for standard error and an exit status other than 0.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) status: u8,
}

impl Failure {
    /// A failure with a status of our own.
    pub(crate) fn new(message: impl Into<String>, status: u8) -> Self {
        Self { message: message.into(), status }
    }

    /// A failed system call: the exit status is its errno.
    pub(crate) fn system(what: impl Display, error: &io::Error) -> Self {
        let errno = u8::try_from(errno_of(error)).ok();
        let status = errno.filter(|status| *status != 0).unwrap_or(OTHER_STATUS);
        Self::new(format!("{what}: {}", words(error)), status)
    }
}

/// Prints on standard error. Where that fails the exit status has to be enough.
pub(crate) fn complain(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
