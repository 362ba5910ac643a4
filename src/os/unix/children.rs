//! Child processes of a supervisor: starting, awaiting and stopping applications.

use std::ffi::CStr;
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::ptr;
use std::time::Duration;

use super::spawn::become_application;
use super::syscall::checked;

/// An event that a supervisor waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// SIGTERM, SIGINT or SIGHUP: the supervisor is to stop.
    Stop,
    /// Children may have ended.
    Ended,
    /// The timeout has expired.
    Timeout,
}

/// The way in which a child has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With an exit status.
    Exit(i32),
    /// By a signal.
    Signal(i32),
}

/// The supervision of children by one thread, which blocks the signals of [`Event`] except while it waits:
/// no signal is lost between two waits.
pub struct Supervision {
    signals: libc::sigset_t,
    before: libc::sigset_t,
}

impl Supervision {
    /// Blocks the signals in the calling thread, which must be the only one. A stop signal that is ignored
    /// (nohup) stays ignored.
    pub fn begin() -> io::Result<Self> {
        let mut signals = MaybeUninit::uninit();
        let mut before = MaybeUninit::uninit();
        // SAFETY: sigemptyset initialises `signals`, sigaddset changes the initialised set, and a successful
        // pthread_sigmask initialises `before`; both are locals. SIGCHLD must not be ignored, or the kernel
        // would not keep the exit statuses of children.
        unsafe {
            libc::sigemptyset(signals.as_mut_ptr());
            for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
                if !is_ignored(signal) {
                    libc::sigaddset(signals.as_mut_ptr(), signal);
                }
            }
            libc::signal(libc::SIGCHLD, libc::SIG_DFL);
            libc::sigaddset(signals.as_mut_ptr(), libc::SIGCHLD);
            match libc::pthread_sigmask(libc::SIG_BLOCK, signals.as_ptr(), before.as_mut_ptr()) {
                0 => Ok(Self { signals: signals.assume_init(), before: before.assume_init() }),
                errno => Err(io::Error::from_raw_os_error(errno)),
            }
        }
    }

    /// Starts the program at `path` as [`super::spawn::spawn`] does. Returns its process id.
    pub fn start(&self, path: &CStr, listen_fd: RawFd) -> io::Result<i32> {
        let arguments = [path.as_ptr(), ptr::null()];
        // SAFETY: the child only makes async-signal-safe calls.
        let child = checked(unsafe { libc::fork() })?;
        if child == 0 {
            // SAFETY: `begin` has initialised the set; `arguments` ends with NULL, its string with NUL, and
            // both outlive the call.
            unsafe {
                libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut());
                become_application(&arguments, listen_fd)
            }
        }
        Ok(child)
    }

    /// Waits for an event.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<Event> {
        let limit = timeout.map(timespec);
        let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: `begin` has initialised the set; the siginfo is NULL, which is allowed; the limit is NULL
        // (no timeout) or outlives the call.
        let signal = unsafe { libc::sigtimedwait(&raw const self.signals, ptr::null_mut(), limit) };
        let signal = checked(signal);
        match signal {
            Ok(libc::SIGCHLD) => Ok(Event::Ended),
            Ok(_) => Ok(Event::Stop),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Event::Timeout),
            // Another signal, with a handler: the caller checks again.
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Event::Timeout),
            Err(error) => Err(error),
        }
    }
}

fn is_ignored(signal: libc::c_int) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: NULL changes no action; the current one is written to `action`, which is valid as zeros.
    unsafe {
        libc::sigaction(signal, ptr::null(), action.as_mut_ptr());
        action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

fn timespec(duration: Duration) -> libc::timespec {
    // SAFETY: timespec is plain data, for which zero is a value, including any padding.
    let mut spec: libc::timespec = unsafe { std::mem::zeroed() };
    spec.tv_sec = duration.as_secs().try_into().unwrap_or(libc::time_t::MAX);
    spec.tv_nsec = duration.subsec_nanos() as libc::c_long;
    spec
}

/// Returns a child that has ended and how. Returns each child once; `None` if there is no other.
pub fn ended() -> Option<(i32, End)> {
    let mut status = 0;
    // SAFETY: waitpid writes one int to `status`, which outlives the call.
    let child = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
    (child > 0).then_some((child, end_of(status)))
}

fn end_of(status: libc::c_int) -> End {
    match libc::WIFSIGNALED(status) {
        true => End::Signal(libc::WTERMSIG(status)),
        false => End::Exit(libc::WEXITSTATUS(status)),
    }
}

/// Asks a child to end (SIGTERM). It must be one that [`ended`] has not returned: otherwise its process
/// id may belong to another process by now.
pub fn terminate(child: i32) {
    send_signal(child, libc::SIGTERM);
}

/// Kills a child (SIGKILL). It must be one that [`ended`] has not returned: see [`terminate`].
pub fn kill(child: i32) {
    send_signal(child, libc::SIGKILL);
}

fn send_signal(child: i32, signal: libc::c_int) {
    // SAFETY: kill takes two numbers and no pointer.
    unsafe { libc::kill(child, signal) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no processes")]
    fn children_are_supervised_until_their_end() {
        let supervision = Supervision::begin().unwrap();
        let (mut here, there) = UnixStream::pair().unwrap();
        let child = supervision.start(c"/bin/sh", there.as_raw_fd()).unwrap();
        drop(there);
        assert_eq!(supervision.wait(Some(Duration::ZERO)).unwrap(), Event::Timeout);
        // The signals that are blocked here are not blocked in the shell.
        here.write_all(b"grep SigBlk /proc/self/status >&0; kill -s TERM $$\n").unwrap();
        let mut said = String::new();
        here.read_to_string(&mut said).unwrap();
        assert_eq!(said.split_whitespace().last(), Some("0000000000000000"));
        assert_eq!(wait_for(child), End::Signal(libc::SIGTERM));

        let (mut here, there) = UnixStream::pair().unwrap();
        let child = supervision.start(c"/bin/sh", there.as_raw_fd()).unwrap();
        here.write_all(b"exit 3\n").unwrap();
        assert_eq!(wait_for(child), End::Exit(3));
    }

    /// Waits for this child only, because other tests have children, too.
    fn wait_for(child: i32) -> End {
        let mut status = 0;
        // SAFETY: waitpid writes one int to `status`, which outlives the call.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        end_of(status)
    }
}
