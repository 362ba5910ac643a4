//! poll and epoll_wait.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use super::files::{FileId, Waiter};
use super::tasks::{Ended, TaskId, try_with, wait, with_me};
use super::{Kernel, error};
use crate::os::poll::{PollFd, READABLE, WRITABLE};

impl Kernel {
    /// Fills in the events that are true now. Returns how many descriptors have any.
    fn look(&mut self, task: TaskId, fds: &mut [PollFd]) -> usize {
        for entry in &mut *fds {
            entry.revents = match self.file_of(task, entry.fd) {
                _ if entry.fd < 0 => 0,
                Err(_) => libc::POLLNVAL,
                Ok(file) => {
                    let readable = if self.is_readable(file) { READABLE } else { 0 };
                    let writable = if self.can_send(file) { WRITABLE } else { 0 };
                    (readable | writable) & entry.events
                }
            };
        }
        fds.iter().filter(|entry| entry.revents != 0).count()
    }

    fn queue_poller(&mut self, task: TaskId, files: &[FileId], enters: bool) {
        for &file in files {
            let queue = &mut self.files[file].queue;
            queue.retain(|waiter| *waiter != Waiter::Poller(task));
            if enters {
                queue.push_front(Waiter::Poller(task));
            }
        }
    }
}

pub fn poll(fds: &mut [PollFd], until: Option<Duration>) -> io::Result<usize> {
    let numbers: Vec<RawFd> = fds.iter().map(|entry| entry.fd).collect();
    let queue = |kernel: &mut Kernel, me: TaskId, enters: bool| {
        let files: Vec<_> = numbers.iter().filter_map(|&fd| kernel.file_of(me, fd).ok()).collect();
        kernel.queue_poller(me, &files, enters);
    };
    let look = |kernel: &mut Kernel, me: TaskId| {
        let found = kernel.look(me, fds);
        kernel.has_asked(me, found > 0);
        Some(found).filter(|&found| found > 0)
    };
    with_me(|kernel, me| kernel.count_hold(me, &numbers));
    match wait("poll", until, look, queue) {
        Ok(found) => Ok(found),
        Err(Ended::TimedOut) => Ok(0),
        Err(Ended::Interrupted) => Err(error(libc::EINTR)),
    }
}

/// A file that a call keeps using, whatever happens to its number.
struct Used(FileId);

impl Used {
    fn by_number(fd: RawFd) -> io::Result<Self> {
        with_me(|kernel, me| {
            let file = kernel.file_of(me, fd)?;
            kernel.files[file].descriptors += 1;
            Ok(Self(file))
        })
    }
}

impl Drop for Used {
    fn drop(&mut self) {
        // While a failed check unwinds, the kernel is in use.
        try_with(|kernel| kernel.release(self.0));
    }
}

pub fn epoll_wait(epoll: RawFd, most: usize, until: Option<Duration>) -> io::Result<Vec<u64>> {
    let used = Used::by_number(epoll)?;
    let file = used.0;
    with_me(|kernel, me| kernel.process(me).waits += 1);
    let queue = |kernel: &mut Kernel, me: TaskId, enters: bool| {
        let Ok(instance) = kernel.epoll(file) else { return };
        instance.waiters.retain(|&task| task != me);
        if enters {
            instance.waiters.push_back(me);
        }
    };
    let look = |kernel: &mut Kernel, me: TaskId| {
        if let Err(error) = kernel.epoll(file) {
            return Some(Err(error));
        }
        let events = kernel.take_events(file, most);
        kernel.has_asked(me, !events.is_empty());
        Some(events).filter(|events| !events.is_empty()).map(Ok)
    };
    match wait("epoll_wait", until, look, queue) {
        Ok(found) => found,
        Err(Ended::TimedOut) => Ok(Vec::new()),
        Err(Ended::Interrupted) => Err(error(libc::EINTR)),
    }
}
