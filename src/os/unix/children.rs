//! Applications that are watched while they run: what a supervisor needs.

use std::ffi::CStr;
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::ptr;
use std::time::Duration;

use super::spawn::become_application;
use super::syscall::checked;

/// What a supervisor waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// SIGTERM, SIGINT or SIGHUP: stop.
    Stop,
    /// Children may have ended.
    Ended,
    /// The time is up.
    Timeout,
}

/// How a child has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With an exit status.
    Exit(i32),
    /// By a signal.
    Signal(i32),
}

/// A thread that holds back the signals of [`Event`] until it asks for them: none is lost between
/// two waits.
pub struct Supervision {
    signals: libc::sigset_t,
    before: libc::sigset_t,
}

impl Supervision {
    /// Begins to hold back the signals, in the calling thread. For a process with one thread. A stop
    /// signal that is ignored (nohup) stays ignored.
    pub fn begin() -> io::Result<Self> {
        let mut signals = MaybeUninit::uninit();
        let mut before = MaybeUninit::uninit();
        // SAFETY: sigemptyset fills its set, sigaddset changes a filled one, and pthread_sigmask
        // fills the old one when it succeeds; the sets are ours. SIGCHLD must not be ignored, or
        // the system would not keep the ends of children.
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

    /// Starts the program at `path` as [`super::spawn::spawn`] does. Gives its process id.
    pub fn start(&self, path: &CStr, listen_fd: RawFd) -> io::Result<i32> {
        let arguments = [path.as_ptr(), ptr::null()];
        // SAFETY: the child only makes calls that are async-signal-safe.
        let child = checked(unsafe { libc::fork() })?;
        if child == 0 {
            // SAFETY: the set was filled by `begin`; `arguments` ends in NULL, its string in NUL,
            // and both outlive the call.
            unsafe {
                libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut());
                become_application(&arguments, listen_fd)
            }
        }
        Ok(child)
    }

    /// Waits for a signal.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<Event> {
        let limit = timeout.map(timespec);
        let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: the set was filled by `begin`; no information about the signal is asked for; the
        // limit is NULL (none) or outlives the call.
        let signal = unsafe { libc::sigtimedwait(&raw const self.signals, ptr::null_mut(), limit) };
        let signal = checked(signal);
        match signal {
            Ok(libc::SIGCHLD) => Ok(Event::Ended),
            Ok(_) => Ok(Event::Stop),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Event::Timeout),
            // Another signal, with a handler: look again at what there is to do.
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Event::Timeout),
            Err(error) => Err(error),
        }
    }
}

fn is_ignored(signal: libc::c_int) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: nothing is set; all zero is a sigaction, and one of ours is filled.
    unsafe {
        libc::sigaction(signal, ptr::null(), action.as_mut_ptr());
        action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

fn timespec(duration: Duration) -> libc::timespec {
    // SAFETY: all zero is a timespec, whatever padding a system has in it.
    let mut spec: libc::timespec = unsafe { std::mem::zeroed() };
    spec.tv_sec = duration.as_secs().try_into().unwrap_or(libc::time_t::MAX);
    spec.tv_nsec = duration.subsec_nanos() as libc::c_long;
    spec
}

/// A child that has ended and how, if there is one that nobody was told about yet.
pub fn ended() -> Option<(i32, End)> {
    let mut status = 0;
    // SAFETY: waitpid fills an int of ours.
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
    fn children_are_watched_until_their_end() {
        let supervision = Supervision::begin().unwrap();
        let (mut here, there) = UnixStream::pair().unwrap();
        let child = supervision.start(c"/bin/sh", there.as_raw_fd()).unwrap();
        drop(there);
        assert_eq!(supervision.wait(Some(Duration::ZERO)).unwrap(), Event::Timeout);
        // The shell has the signals that are held back here.
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

    /// Waits for one child alone, because other tests have children, too.
    fn wait_for(child: i32) -> End {
        let mut status = 0;
        // SAFETY: waitpid fills an int of ours.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        end_of(status)
    }
}
