//! Actions that wait for descriptors: the engine behind OS_AsyncRead, OS_AsyncWrite and OS_DoIo.
//!
//! A descriptor may have one pending action for each direction. This module only decides when an action
//! runs, not what it does.

use std::io;
use std::os::fd::RawFd;
use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use super::fork::PerProcess;
use super::lock::Lock;
use super::memory::{NoMemory, push, reserve};
use super::poll::{self, PollFd};
use super::shutdown;

/// The direction of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Waits for data, the end of file, or an error.
    Read,
    /// Waits for space in the send buffer, or an error.
    Write,
}

impl Direction {
    const fn event(self) -> i16 {
        match self {
            Self::Read => poll::READABLE,
            Self::Write => poll::WRITABLE,
        }
    }

    /// Returns whether an action can run. Errors and hang-ups, which are always reported, count for both
    /// directions: the operation itself then fails.
    const fn is_ready(self, revents: i16) -> bool {
        revents & (self.event() | libc::POLLERR | libc::POLLHUP | libc::POLLNVAL) != 0
    }
}

/// The function that runs once, when the descriptor is ready.
pub(crate) type Action = Box<dyn FnOnce() + Send>;

struct PendingAction {
    fd: RawFd,
    direction: Direction,
    /// Distinguishes an action from a later one for the same descriptor and direction.
    number: u64,
    action: Action,
}

#[derive(Default)]
struct PendingActions {
    next_number: u64,
    /// Unordered; programs have few at a time.
    actions: Vec<PendingAction>,
}

static PENDING: PerProcess<Lock<PendingActions>> =
    PerProcess::new(Lock::new(PendingActions::new()));

/// Returns this process's pending actions, locked. No action runs and no wait happens under this lock.
///
/// A child starts with its parent's pending actions, unless another thread of the parent was using them
/// at the fork.
fn pending() -> Result<MutexGuard<'static, PendingActions>, NoMemory> {
    let parents = PENDING.inherited();
    let mut pending = PENDING.get().ok_or(NoMemory)?.lock();
    // This copy of the parent's actions belongs to the child only. The child's own lock is held, so only
    // its first thread takes them.
    if let Some(mut parents) = parents.and_then(Lock::try_lock) {
        if pending.next_number == 0 {
            *pending = std::mem::take(&mut *parents);
        }
    }
    Ok(pending)
}

impl PendingActions {
    const fn new() -> Self {
        Self { next_number: 0, actions: Vec::new() }
    }

    fn find(&self, fd: RawFd, direction: Direction) -> Option<usize> {
        self.actions.iter().position(|waiting| waiting.fd == fd && waiting.direction == direction)
    }

    /// Removes and returns the action, if its number is at most `newest`.
    fn take(&mut self, fd: RawFd, direction: Direction, newest: u64) -> Option<Action> {
        let at = self.find(fd, direction)?;
        let waiting = self.actions.get(at).filter(|waiting| waiting.number <= newest);
        waiting?;
        let last = self.actions.pop()?;
        match self.actions.get_mut(at) {
            Some(place) => Some(std::mem::replace(place, last).action),
            None => Some(last.action),
        }
    }
}

/// Registers `action` to run when the descriptor is ready. Errors: EBUSY if this direction has a pending
/// action, EBADF for a negative number, ENOMEM.
pub(crate) fn register(fd: RawFd, direction: Direction, action: Action) -> io::Result<()> {
    if fd < 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    let mut pending = pending()?;
    if pending.find(fd, direction).is_some() {
        return Err(io::Error::from_raw_os_error(libc::EBUSY));
    }
    pending.next_number += 1;
    let waiting = PendingAction { fd, direction, number: pending.next_number, action };
    let refused = push(&mut pending.actions, waiting);
    drop(pending);
    refused.map_err(|_| NoMemory.into())
}

/// Drops the pending action for this direction of the descriptor.
pub(crate) fn cancel(fd: RawFd, direction: Direction) {
    let cancelled = pending().map(|mut pending| pending.take(fd, direction, u64::MAX));
    drop(cancelled);
}

/// Drops every pending action.
pub(crate) fn cancel_all() {
    let cancelled = pending().map(|mut pending| std::mem::take(&mut pending.actions));
    drop(cancelled);
}

/// Returns one entry for each descriptor with pending actions, and the number of the newest action.
fn snapshot() -> Result<(Vec<PollFd>, u64), NoMemory> {
    let pending = pending()?;
    let mut fds: Vec<PollFd> = Vec::new();
    reserve(&mut fds, pending.actions.len())?;
    for waiting in &pending.actions {
        let event = waiting.direction.event();
        match fds.iter_mut().find(|entry| entry.fd == waiting.fd) {
            Some(entry) => entry.events |= event,
            None => push(&mut fds, PollFd::new(waiting.fd, event)).map_err(|_| NoMemory)?,
        }
    }
    Ok((fds, pending.next_number))
}

/// Waits until a descriptor is ready, then runs the actions of all ready descriptors, in the order of
/// their numbers, reads before writes. Actions registered meanwhile wait for the next call; actions
/// cancelled meanwhile do not run. Only a signal that requests shutdown ends the wait, with `Interrupted`.
///
/// Returns the rest of `timeout` at the end of the wait. ENOMEM is returned before the wait.
pub(crate) fn wait(timeout: Option<Duration>) -> io::Result<Option<Duration>> {
    let (mut fds, newest) = snapshot()?;
    let start = Instant::now();
    let left = || timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
    while let Err(error) = poll::poll(&mut fds, left()) {
        if error.kind() != io::ErrorKind::Interrupted || shutdown::is_requested() {
            return Err(error);
        }
    }
    let left = left();
    let mut done = -1;
    while let Some(entry) =
        fds.iter().filter(|entry| entry.revents != 0 && entry.fd > done).min_by_key(|e| e.fd)
    {
        done = entry.fd;
        for direction in [Direction::Read, Direction::Write] {
            if direction.is_ready(entry.revents) {
                let action = pending()?.take(entry.fd, direction, newest);
                if let Some(action) = action {
                    action();
                }
            }
        }
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc::{Sender, channel};

    /// The pending actions are the process's: the tests take turns.
    static TURN: Lock<()> = Lock::new(());

    fn turn() -> MutexGuard<'static, ()> {
        TURN.lock()
    }

    fn tell(to: &Sender<&'static str>, what: &'static str) -> Action {
        let to = to.clone();
        Box::new(move || to.send(what).unwrap())
    }

    fn run() {
        wait(Some(Duration::ZERO)).unwrap();
    }

    #[test]
    fn actions_run_once_in_order_when_their_descriptor_is_ready() {
        let _turn = turn();
        let (sender, told) = channel();
        let (a, mut b) = UnixStream::pair().unwrap();
        let fd = a.as_raw_fd();
        register(fd, Direction::Read, tell(&sender, "read")).unwrap();
        let error = register(fd, Direction::Read, tell(&sender, "again")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EBUSY));
        run();
        assert!(told.try_recv().is_err());
        register(fd, Direction::Write, tell(&sender, "write")).unwrap();
        b.write_all(b"x").unwrap();
        run();
        run();
        assert_eq!(told.try_iter().collect::<Vec<_>>(), ["read", "write"]);
        assert!(pending().unwrap().actions.is_empty());
    }

    #[test]
    fn an_action_may_register_itself_again_and_cancel_others() {
        let _turn = turn();
        let (sender, told) = channel();
        let (a, mut b) = UnixStream::pair().unwrap();
        let (low, high) = (a.try_clone().unwrap(), a);
        let fds = [low.as_raw_fd(), high.as_raw_fd()];
        let (first, second) = (*fds.iter().min().unwrap(), *fds.iter().max().unwrap());
        let again = tell(&sender, "again");
        let done = tell(&sender, "first");
        register(
            first,
            Direction::Read,
            Box::new(move || {
                done();
                cancel(second, Direction::Read);
                register(first, Direction::Read, again).unwrap();
            }),
        )
        .unwrap();
        register(second, Direction::Read, tell(&sender, "never")).unwrap();
        b.write_all(b"x").unwrap();
        run();
        assert_eq!(told.try_iter().collect::<Vec<_>>(), ["first"]);
        run();
        assert_eq!(told.try_iter().collect::<Vec<_>>(), ["again"]);
    }

    #[test]
    fn a_closed_descriptor_and_the_end_of_a_peer_are_ready() {
        let _turn = turn();
        let (sender, told) = channel();
        let (mut a, b) = UnixStream::pair().unwrap();
        register(1_000_004, Direction::Read, tell(&sender, "closed")).unwrap();
        drop(b);
        register(a.as_raw_fd(), Direction::Read, tell(&sender, "end")).unwrap();
        wait(None).unwrap();
        assert_eq!(told.try_iter().collect::<Vec<_>>(), ["end", "closed"]);
        assert_eq!(a.read(&mut [0]).unwrap(), 0);
        assert!(register(-1, Direction::Read, tell(&sender, "negative")).is_err());
    }

    #[test]
    fn the_time_left_is_returned() {
        let _turn = turn();
        let day = Duration::from_secs(86_400);
        let (a, mut b) = UnixStream::pair().unwrap();
        b.write_all(b"x").unwrap();
        register(a.as_raw_fd(), Direction::Read, Box::new(|| ())).unwrap();
        let left = wait(Some(day)).unwrap().unwrap();
        assert!(left <= day && left > day / 2);
        register(b.as_raw_fd(), Direction::Read, Box::new(|| ())).unwrap();
        cancel_all();
        assert_eq!(wait(Some(Duration::from_millis(5))).unwrap(), Some(Duration::ZERO));
    }

    #[test]
    #[cfg_attr(miri, ignore = "no fork in Miri")]
    fn a_child_does_not_wait_for_a_thread_of_its_parent() {
        let _turn = turn();
        let held = pending().unwrap();
        // SAFETY: the child only uses memory and ends by _exit, or else by SIGALRM.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: alarm takes no pointer.
            unsafe { libc::alarm(10) };
            cancel(0, Direction::Read);
            let is_registered = register(0, Direction::Read, Box::new(|| ())).is_ok();
            // SAFETY: _exit ends the child without running the parent's atexit handlers.
            unsafe { libc::_exit(i32::from(!is_registered)) };
        }
        let mut status = 0;
        // SAFETY: the kernel writes one int to `status`, which outlives the call.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0);
        drop(held);
    }
}
