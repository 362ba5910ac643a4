//! accept4.

use std::io;
use std::os::fd::RawFd;

use super::files::{Kind, Waiter};
use super::tasks::{Ended, TaskId, wait};
use super::{Kernel, error};
use crate::os::socket::Peer;

type Result = io::Result<(RawFd, Peer)>;

impl Kernel {
    /// Accepts a connection that is there. Returns `None` where the call blocks.
    fn accept_now(&mut self, task: TaskId, listen_fd: RawFd) -> Option<Result> {
        let process = self.process(task);
        if process.is_aside && process.accepting.is_some_and(|(fd, _)| fd == listen_fd) {
            return Some(Err(error(libc::EINVAL)));
        }
        if process.aborts > 0 {
            process.aborts -= 1;
            return Some(Err(error(libc::ECONNABORTED)));
        }
        let (listen, peer) = match self.listener_of(task, listen_fd) {
            Ok((file, listen)) => (file, listen.peer),
            Err(error) => return Some(Err(error)),
        };
        // The kernel looks for a free number first.
        let nothing = self.new_file(Kind::Nothing);
        let fd = match self.install(task, nothing) {
            Ok(fd) => fd,
            Err(error) => return Some(Err(error)),
        };
        let Kind::Listen(socket) = &mut self.files[listen].kind else { return None };
        let Some(file) = socket.backlog.pop_front() else {
            self.free_number(task, fd);
            self.files.pop();
            let is_nonblocking = self.files[listen].nonblocking;
            return is_nonblocking.then(|| Err(error(libc::EAGAIN)));
        };
        self.files.pop();
        self.process(task).in_vain = 0;
        let now = self.now;
        self.process(task).table[fd as usize] = Some(file);
        if let Ok(stream) = self.stream(file) {
            stream.life.accepted_at = Some(now);
        }
        Some(Ok((fd, peer)))
    }
}

/// Accepts one connection; blocks or not as the socket's flag says.
pub fn accept(listen_fd: RawFd) -> Result {
    let queue = |kernel: &mut Kernel, me: TaskId, enters: bool| {
        let Ok(listen) = kernel.file_of(me, listen_fd) else { return };
        let queue = &mut kernel.files[listen].queue;
        queue.retain(|waiter| *waiter != Waiter::Acceptor(me));
        if enters {
            queue.push_back(Waiter::Acceptor(me));
        }
    };
    match wait("a connection", None, |kernel, me| kernel.accept_now(me, listen_fd), queue) {
        Ok(result) => result,
        Err(Ended::Interrupted | Ended::TimedOut) => Err(error(libc::EINTR)),
    }
}
