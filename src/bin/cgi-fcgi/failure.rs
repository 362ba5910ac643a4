//! Why the program fails: a message for people, an exit status for scripts.

use std::fmt::Display;
use std::io::{self, Write};

use fcgi::internals::os::error::{errno_of, message};

/// The exit status when the application breaks the protocol or refuses the request.
pub(crate) const PROTOCOL_STATUS: u8 = 253;

/// The exit status when the application uses another version of the protocol.
pub(crate) const VERSION_STATUS: u8 = 254;

/// The exit status when the host of a connection name is unknown.
pub(crate) const NAME_STATUS: u8 = 232;

/// The exit status when `--timeout` runs out: ETIMEDOUT on most systems.
pub(crate) const TIMEOUT_STATUS: u8 = 110;

/// The exit status for all other failures, including a wrong command line.
pub(crate) const OTHER_STATUS: u8 = 1;

/// A message for standard error, and an exit status other than 0.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) status: u8,
}

impl Failure {
    /// A failure with one of the statuses above.
    pub(crate) fn new(message: impl Into<String>, status: u8) -> Self {
        Self { message: message.into(), status }
    }

    /// The failure of a system call, with its errno as the exit status.
    pub(crate) fn system(what: impl Display, error: &io::Error) -> Self {
        let errno = u8::try_from(errno_of(error)).ok();
        let status = errno.filter(|status| *status != 0).unwrap_or(OTHER_STATUS);
        Self::new(format!("{what}: {}", message(error)), status)
    }
}

/// Writes to standard error. If that fails, only the exit status is left.
pub(crate) fn complain(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
