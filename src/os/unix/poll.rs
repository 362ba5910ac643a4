//! Waiting for descriptors: poll(2) for a few, epoll for many.

use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant};

use super::descriptor::{check_one_is_left, close, move_above_stdio};
use super::error::errno_of;
use super::syscall::{checked, counted, retrying};

/// Data can be read, or the peer has closed the connection.
pub const READABLE: i16 = libc::POLLIN;
/// Data can be written.
pub const WRITABLE: i16 = libc::POLLOUT;

/// The peer has closed the connection, or has shut down its sending side.
pub(crate) const HUNG_UP: i16 = libc::POLLRDHUP;

/// One descriptor for [`poll`], with the layout of struct pollfd. A negative `fd` is ignored.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PollFd {
    /// The descriptor.
    pub fd: RawFd,
    /// The events to wait for: [`READABLE`], [`WRITABLE`].
    pub events: i16,
    /// The events that occurred, including hang-ups and errors.
    pub revents: i16,
}

impl PollFd {
    /// Returns an entry without events.
    pub const fn new(fd: RawFd, events: i16) -> Self {
        Self { fd, events, revents: 0 }
    }

    /// Returns whether the last [`poll`] found the descriptor open.
    pub const fn is_open(&self) -> bool {
        self.revents & libc::POLLNVAL == 0
    }
}

/// Returns a timeout in milliseconds, rounded up so that a wait never ends early; -1 for no timeout.
fn milliseconds(timeout: Option<Duration>) -> libc::c_int {
    timeout.map_or(-1, |timeout| {
        let part = u64::from(timeout.subsec_micros().div_ceil(1000));
        let all = timeout.as_secs().saturating_mul(1000).saturating_add(part);
        all.try_into().unwrap_or(libc::c_int::MAX)
    })
}

/// Calls poll(2) once; a signal ends it with `Interrupted`. Returns the number of entries with `revents`.
pub fn poll(fds: &mut [PollFd], timeout: Option<Duration>) -> io::Result<usize> {
    // SAFETY: PollFd has the layout of pollfd; the pointer and the length are those of `fds`.
    let n = unsafe { libc::poll(fds.as_mut_ptr().cast(), fds.len() as _, milliseconds(timeout)) };
    counted(n as _)
}

/// Waits for one descriptor; signals do not end the wait. Returns its events, 0 after the timeout.
pub(crate) fn one(fd: RawFd, events: i16, timeout: Option<Duration>) -> io::Result<i16> {
    let end = timeout.and_then(|t| Instant::now().checked_add(t));
    let mut fds = [PollFd::new(fd, events)];
    retrying(|| {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        poll(&mut fds, left)
    })?;
    Ok(fds[0].revents)
}

/// How an [`Epoll`] watches a descriptor for readability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Level-triggered: reported as long as it is readable.
    Level,
    /// One-shot: reported once, then nothing, not even a hang-up, before [`Epoll::modify`].
    OneShot,
    /// One-shot, and queued behind everything that is ready: it also watches for writability, which
    /// nearly always holds.
    BehindReady,
    /// Not reported before [`Epoll::modify`], except for at most one hang-up.
    Silent,
    /// Level-triggered, waking about one of the processes that wait (EPOLLEXCLUSIVE). Cannot be
    /// modified.
    Exclusive,
}

impl Interest {
    const fn bits(self) -> u32 {
        (match self {
            Self::Level => libc::EPOLLIN,
            Self::Silent => libc::EPOLLONESHOT,
            Self::OneShot => libc::EPOLLIN | libc::EPOLLONESHOT,
            Self::BehindReady => libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLONESHOT,
            Self::Exclusive => libc::EPOLLIN | libc::EPOLLEXCLUSIVE,
        }) as u32
    }
}

/// Tokens of ready descriptors, in the kernel's order.
pub struct Ready {
    events: [libc::epoll_event; Self::MOST],
    count: usize,
}

impl Ready {
    /// The largest number of tokens from one wait.
    pub const MOST: usize = 16;

    /// Returns an empty list.
    pub const fn new() -> Self {
        Self { events: [libc::epoll_event { events: 0, u64: 0 }; Self::MOST], count: 0 }
    }

    /// Returns the tokens of the last wait.
    pub fn tokens(&self) -> impl Iterator<Item = u64> + '_ {
        self.events.iter().take(self.count).map(|event| event.u64)
    }
}

impl Default for Ready {
    fn default() -> Self {
        Self::new()
    }
}

/// An epoll instance. After a fork, parent and child share the same instance: a child gives up its copy.
///
/// The program may close its descriptor or reuse the number. The number stands for this instance as long
/// as its witness can be modified through it. The witness is a descriptor that the instance watches from
/// the start.
#[derive(Debug)]
pub struct Epoll {
    /// -1 when given up.
    fd: AtomicI32,
    witness: AtomicI32,
    is_witness_silent: AtomicBool,
    /// The token of the witness.
    token: u64,
}

impl Epoll {
    /// Makes an instance, at descriptor 3 or above, that watches the descriptor that `witness` returns.
    /// Also fails where a sandbox allows making an instance but not waiting for it, and where it would
    /// take the last free descriptor.
    pub fn new(witness: impl FnOnce() -> io::Result<RawFd>, token: u64) -> io::Result<Self> {
        let (fd, none) = (AtomicI32::new(-1), AtomicI32::new(-1));
        let is_witness_silent = AtomicBool::new(false);
        let epoll = Self { fd, witness: none, is_witness_silent, token };
        epoll.make(witness)?;
        Ok(epoll)
    }

    /// Calls `witness` last: without an instance its descriptor would be of no use.
    fn make(&self, witness: impl FnOnce() -> io::Result<RawFd>) -> io::Result<()> {
        // SAFETY: epoll_create1 takes no pointer.
        let fd = checked(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        let fd = move_above_stdio(fd)?;
        self.fd.store(fd, Ordering::Relaxed);
        let is_good = retrying(|| self.wait(&mut Ready::new(), 1, Some(Duration::ZERO)))
            .and_then(|()| witness())
            .and_then(|witness| {
                self.witness.store(witness, Ordering::Relaxed);
                self.is_witness_silent.store(false, Ordering::Relaxed);
                self.add(witness, Interest::Level, self.token)
            })
            .and_then(|()| check_one_is_left(fd));
        if is_good.is_err() {
            self.fd.store(-1, Ordering::Relaxed);
            close(fd);
        }
        is_good
    }

    /// Gives up the instance and makes a new one, which watches only the descriptor that `witness`
    /// returns. After an error no instance is open.
    pub fn renew(&self, witness: impl FnOnce() -> io::Result<RawFd>) -> io::Result<()> {
        self.give_up();
        self.make(witness)
    }

    fn ask_witness(&self) -> io::Result<()> {
        self.modify(self.witness(), self.witness_interest(), self.token)
    }

    fn witness_interest(&self) -> Interest {
        if self.is_witness_silent.load(Ordering::Relaxed) {
            Interest::Silent
        } else {
            Interest::Level
        }
    }

    /// Changes how the witness is watched: [`Interest::Level`] or [`Interest::Silent`].
    pub(crate) fn watch_witness(&self, interest: Interest) -> io::Result<()> {
        self.is_witness_silent.store(interest == Interest::Silent, Ordering::Relaxed);
        self.ask_witness()
    }

    /// Returns whether the instance was given up, or its number or that of its witness was reused.
    pub fn is_lost(&self) -> bool {
        self.ask_witness().is_err_and(|error| says_lost(&error))
    }

    /// Returns the descriptor that is watched from the start.
    pub fn witness(&self) -> RawFd {
        self.witness.load(Ordering::Relaxed)
    }

    fn control(&self, op: libc::c_int, fd: RawFd, bits: u32, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: bits, u64: token };
        // SAFETY: the kernel reads one epoll_event from a place that outlives the call.
        checked(unsafe { libc::epoll_ctl(self.descriptor(), op, fd, &raw mut event) }).map(drop)
    }

    /// Starts watching.
    pub fn add(&self, fd: RawFd, interest: Interest, token: u64) -> io::Result<()> {
        match self.control(libc::EPOLL_CTL_ADD, fd, interest.bits(), token) {
            // Linux before 4.5 has no EPOLLEXCLUSIVE: every waiting process wakes.
            Err(error) if interest == Interest::Exclusive && errno_of(&error) == libc::EINVAL => {
                self.add(fd, Interest::Level, token)
            }
            result => result,
        }
    }

    /// Changes how a descriptor is watched.
    pub fn modify(&self, fd: RawFd, interest: Interest, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, interest.bits(), token)
    }

    /// Registers a watched descriptor again, as [`Epoll::add`] does: this instance then queues behind all
    /// others that watch it, in this process and in others. Does nothing for a descriptor that is not
    /// watched. After an error the descriptor is no longer watched.
    pub fn move_last(&self, fd: RawFd, interest: Interest, token: u64) -> io::Result<()> {
        match self.control(libc::EPOLL_CTL_DEL, fd, 0, 0) {
            Ok(()) => self.add(fd, interest, token),
            Err(_) => Ok(()),
        }
    }

    /// Stops watching. Returns whether the descriptor was watched: false if the program has closed it or
    /// reused its number. Needed before a close: if another process holds a copy, epoll keeps reporting
    /// the descriptor after this process has closed its own.
    pub fn remove(&self, fd: RawFd) -> bool {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, 0).is_ok()
    }

    /// Waits for at most `most` descriptors; a signal ends the wait with `Interrupted`.
    pub fn wait(
        &self,
        ready: &mut Ready,
        most: usize,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        ready.count = 0;
        let most = most.clamp(1, Ready::MOST) as libc::c_int;
        let events = ready.events.as_mut_ptr();
        // SAFETY: `events` has room for `most` entries.
        let n = unsafe { libc::epoll_wait(self.descriptor(), events, most, milliseconds(timeout)) };
        ready.count = counted(n as _)?;
        Ok(())
    }

    /// Waits as [`Epoll::wait`] does, at the cost of one more system call. Only a signal handler ends the
    /// wait with `Interrupted`: stopping and continuing the process (SIGSTOP and SIGCONT, a debugger, the
    /// freezer) does not.
    pub fn wait_for_handlers_only(
        &self,
        ready: &mut Ready,
        most: usize,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        poll(&mut [PollFd::new(self.descriptor(), READABLE)], timeout)?;
        self.wait(ready, most, Some(Duration::ZERO))
    }

    /// Returns the instance's own descriptor: readable when a watched one is ready, -1 if given up.
    pub fn descriptor(&self) -> RawFd {
        self.fd.load(Ordering::Relaxed)
    }

    /// Closes the instance, unless its number was reused. Async-signal-safe.
    pub fn give_up(&self) {
        // Only success proves that the number stands for this instance.
        let is_own = self.ask_witness().is_ok();
        let fd = self.fd.swap(-1, Ordering::Relaxed);
        if is_own {
            close(fd);
        }
    }
}

/// Returns whether the error means that the number of an [`Epoll`] was closed or reused, or that the
/// instance does not watch the descriptor in question.
pub(crate) fn says_lost(error: &io::Error) -> bool {
    [libc::EBADF, libc::EINVAL, libc::ENOENT].contains(&errno_of(error))
}

impl Drop for Epoll {
    fn drop(&mut self) {
        self.give_up();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn timeouts_are_rounded_up() {
        assert_eq!(milliseconds(None), -1);
        assert_eq!(milliseconds(Some(Duration::ZERO)), 0);
        assert_eq!(milliseconds(Some(Duration::from_micros(1))), 1);
        assert_eq!(milliseconds(Some(Duration::MAX)), libc::c_int::MAX);
    }

    #[test]
    fn one_shot_tells_once() {
        let (mut a, mut b) = UnixStream::pair().unwrap();
        let (witness, _other) = UnixStream::pair().unwrap();
        let epoll = Epoll::new(|| Ok(witness.as_raw_fd()), 1).unwrap();
        let mut ready = Ready::new();
        let mut look = || {
            epoll.wait(&mut ready, 16, Some(Duration::ZERO)).unwrap();
            ready.tokens().collect::<Vec<_>>()
        };
        epoll.add(a.as_raw_fd(), Interest::OneShot, 7).unwrap();
        assert_eq!(look(), []);
        b.write_all(b"x").unwrap();
        assert_eq!(look(), [7]);
        assert_eq!(look(), []);
        epoll.modify(a.as_raw_fd(), Interest::Level, 8).unwrap();
        assert_eq!(look(), [8]);
        assert_eq!(look(), [8]);
        a.read_exact(&mut [0]).unwrap();
        assert_eq!(look(), []);
        drop(b);
        epoll.remove(a.as_raw_fd());
        assert_eq!(look(), []);
    }

    #[test]
    #[cfg_attr(miri, ignore = "no dup2 in Miri")]
    fn what_stands_at_the_number_of_an_instance_is_left_alone() {
        let put = |fd: RawFd, file: &Epoll| {
            // SAFETY: dup2 takes two numbers; `fd` is one that this test has opened.
            assert_eq!(unsafe { libc::dup2(file.descriptor(), fd) }, fd);
        };
        let (a, b) = UnixStream::pair().unwrap();
        let programs = Epoll::new(|| Ok(a.as_raw_fd()), 1).unwrap();
        let epoll = Epoll::new(|| Ok(b.as_raw_fd()), 2).unwrap();
        assert!(!epoll.is_lost());
        let lost = epoll.descriptor();
        put(lost, &programs);
        assert!(epoll.is_lost());
        epoll.give_up();
        assert!(epoll.is_lost());
        epoll.renew(|| Ok(b.as_raw_fd())).unwrap();
        assert!(!epoll.is_lost() && !programs.is_lost() && epoll.descriptor() != lost);
        put(epoll.descriptor(), &programs);
        let another = epoll.descriptor();
        drop(epoll);
        // Both are still open.
        for fd in [lost, another] {
            assert!(crate::os::descriptor::is_open(fd));
            close(fd);
        }
    }
}
