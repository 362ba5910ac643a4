//! Errors of system calls, classified by their meaning for a caller.

use std::error::Error;
use std::ffi::CStr;
use std::fmt;
use std::io;

/// Returns the calling thread's errno. Async-signal-safe.
pub(super) fn errno() -> libc::c_int {
    // SAFETY: errno belongs to the thread and always exists.
    unsafe { *libc::__errno_location() }
}

/// Sets the calling thread's errno. Async-signal-safe.
pub(crate) fn set_errno(errno: libc::c_int) {
    // SAFETY: errno belongs to the thread and always exists.
    unsafe { *libc::__errno_location() = errno };
}

/// Returns the errno value of an error; EIO if it has no other.
pub fn errno_of(error: &io::Error) -> libc::c_int {
    match error.kind() {
        io::ErrorKind::Interrupted => libc::EINTR,
        _ => {
            let explained = || explanation(error).map(|explained| explained.errno);
            error.raw_os_error().or_else(explained).unwrap_or(libc::EIO)
        }
    }
}

/// An errno value with a more precise message.
#[derive(Debug)]
struct Explained {
    errno: libc::c_int,
    message: &'static str,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl Error for Explained {}

fn explanation(error: &io::Error) -> Option<&Explained> {
    error.get_ref()?.downcast_ref()
}

/// Makes an error with an errno value for programs and a message for people.
pub(crate) fn explained(errno: libc::c_int, message: &'static str) -> io::Error {
    io::Error::new(io::Error::from_raw_os_error(errno).kind(), Explained { errno, message })
}

/// The message of an error, for printing.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a>(&'a io::Error);

/// Returns the message of an explained error, or the system's message for an errno value. (std's Display
/// adds the number, and could panic.)
pub fn message(error: &io::Error) -> Message<'_> {
    Message(error)
}

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(explained) = explanation(self.0) {
            return f.write_str(explained.message);
        }
        let Some(errno) = self.0.raw_os_error() else { return self.0.fmt(f) };
        let mut text = [0; 128];
        // SAFETY: strerror_r writes at most `text.len()` bytes, including a NUL.
        unsafe { libc::strerror_r(errno, text.as_mut_ptr().cast(), text.len()) };
        let text = CStr::from_bytes_until_nul(&text).ok().and_then(|text| text.to_str().ok());
        f.write_str(text.unwrap_or("unknown error"))
    }
}

/// Returns whether the error was made by [`explained`] with this message.
pub(crate) fn is_explained_by(error: &io::Error, message: &str) -> bool {
    explanation(error).is_some_and(|explained| explained.message == message)
}

/// Returns EAGAIN: nothing is ready, or the timeout has expired.
pub(crate) fn would_block() -> io::Error {
    io::Error::from_raw_os_error(libc::EAGAIN)
}

/// Returns EINTR: a wait was interrupted.
pub(crate) fn interrupted() -> io::Error {
    io::Error::from_raw_os_error(libc::EINTR)
}

/// Returns ECANCELED: the wait was cancelled. No system call of the library fails with it.
pub(crate) fn cancelled() -> io::Error {
    io::Error::from_raw_os_error(libc::ECANCELED)
}

/// Returns whether the error is [`cancelled`].
pub(crate) fn is_cancelled(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ECANCELED)
}

/// Returns ENOSYS: there is no epoll.
pub(crate) fn no_epoll() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOSYS)
}

/// Returns EBADF: a descriptor is not open.
pub(crate) fn not_open() -> io::Error {
    io::Error::from_raw_os_error(libc::EBADF)
}

/// Returns EINVAL: a listen socket was shut down, as a blocking accept4 reports it.
pub(crate) fn shut_down() -> io::Error {
    io::Error::from_raw_os_error(libc::EINVAL)
}

/// Returns whether epoll cannot watch the descriptor because it is always ready, as a regular file is.
pub(crate) fn is_unwatchable(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EPERM)
}

/// Returns whether a sandbox refuses the system call, or the kernel does not have it. An equivalent call
/// may be allowed.
pub(crate) fn is_refused(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EPERM | libc::ENOSYS))
}

/// Returns whether registering with epoll failed because the descriptor is registered already.
pub(crate) fn is_watched_already(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EEXIST)
}

/// The meaning of an error of accept4 for the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcceptTrouble {
    /// A signal interrupted it.
    Interrupted,
    /// The backlog is empty, or another thread was faster.
    Empty,
    /// This connection was lost; the next one may be fine.
    Passing,
    /// The process or the machine is out of descriptors or memory.
    Shortage,
    /// The descriptor is not a listen socket at present.
    NotListening,
    /// The next call would fail, too.
    Lasting,
}

impl AcceptTrouble {
    /// Classifies an error of accept4, or of a wait for it.
    pub(crate) fn of(error: &io::Error) -> Self {
        match errno_of(error) {
            libc::EINTR => Self::Interrupted,
            libc::EAGAIN => Self::Empty,
            libc::ECONNABORTED
            | libc::EPROTO
            | libc::ENOPROTOOPT
            | libc::ENETDOWN
            | libc::ENETUNREACH
            | libc::EHOSTDOWN
            | libc::EHOSTUNREACH
            | libc::ENONET
            | libc::EPERM => Self::Passing,
            libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM | libc::ENOSPC => {
                Self::Shortage
            }
            libc::EBADF | libc::ENOTSOCK | libc::EINVAL | libc::EOPNOTSUPP => Self::NotListening,
            _ => Self::Lasting,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_accept_by_what_helps() {
        let of = |errno| AcceptTrouble::of(&io::Error::from_raw_os_error(errno));
        assert_eq!(of(libc::EINTR), AcceptTrouble::Interrupted);
        assert_eq!(of(libc::EAGAIN), AcceptTrouble::Empty);
        assert_eq!(of(libc::ECONNABORTED), AcceptTrouble::Passing);
        assert_eq!(of(libc::EMFILE), AcceptTrouble::Shortage);
        assert_eq!(of(libc::EBADF), AcceptTrouble::NotListening);
        assert_eq!(of(libc::EACCES), AcceptTrouble::Lasting);
        assert_eq!(errno_of(&io::ErrorKind::TimedOut.into()), libc::EIO);
    }

    #[test]
    fn messages_are_for_people_and_numbers_for_programs() {
        let system = io::Error::from_raw_os_error(libc::ENOENT);
        assert_eq!(message(&system).to_string(), "No such file or directory");
        let ours = explained(libc::EEXIST, "it is there");
        assert_eq!(message(&ours).to_string(), "it is there");
        assert_eq!(errno_of(&ours), libc::EEXIST);
        assert_eq!(ours.kind(), io::ErrorKind::AlreadyExists);
    }
}
