//! Open files, the descriptors that stand for them, and the threads that wait for them.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::RawFd;

use super::epoll::Epoll;
use super::stream::{Listen, Stream};
use super::tasks::TaskId;
use super::timer::Timer;
use super::{Kernel, error};

pub type FileId = usize;

pub enum Kind {
    Nothing,
    Listen(Listen),
    Stream(Stream),
    Epoll(Epoll),
    Timer(Timer),
}

/// A waiter for events on a file; the queue notifies its waiters in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiter {
    Poller(TaskId),
    /// A thread that blocks in accept; only the first of them wakes.
    Acceptor(TaskId),
    /// An epoll instance in which the file is registered under this number.
    Watch {
        epoll: FileId,
        fd: RawFd,
        exclusive: bool,
    },
}

pub struct File {
    pub kind: Kind,
    /// The number of descriptors that stand for it, in all processes.
    pub descriptors: usize,
    pub nonblocking: bool,
    /// Whether the library has made it non-blocking.
    pub marked: bool,
    /// The locks of processes (fcntl), and whether they are exclusive.
    pub locks: BTreeMap<usize, bool>,
    pub queue: VecDeque<Waiter>,
}

impl Kernel {
    pub fn new_file(&mut self, kind: Kind) -> FileId {
        self.files.push(File {
            kind,
            descriptors: 0,
            nonblocking: false,
            marked: false,
            locks: BTreeMap::new(),
            queue: VecDeque::new(),
        });
        self.files.len() - 1
    }

    /// Installs a file at the lowest free number; fails with EMFILE if there is none.
    pub fn install(&mut self, task: TaskId, file: FileId) -> io::Result<RawFd> {
        let process = self.process(task);
        let above = process.table.iter().skip(process.lowest).position(Option::is_none);
        let free = above.map_or(process.table.len(), |above| process.lowest + above);
        process.lowest = free;
        if process.shortage || free >= process.limit {
            return Err(error(libc::EMFILE));
        }
        if free == process.table.len() {
            process.table.push(None);
        }
        process.table[free] = Some(file);
        self.files[file].descriptors += 1;
        Ok(free as RawFd)
    }

    /// Returns whether there is a number for another descriptor.
    pub fn has_room(&mut self, task: TaskId) -> bool {
        let nothing = self.new_file(Kind::Nothing);
        let room = self.install(task, nothing);
        self.files.pop();
        room.map(|fd| self.free_number(task, fd)).is_ok()
    }

    /// Opens both ends of a connection of the process with itself.
    pub fn open_pair(&mut self, task: TaskId) -> io::Result<[(RawFd, FileId); 2]> {
        let [first, second] = self.new_connection();
        let made = self.install(task, first).and_then(|fd| {
            let other = self.install(task, second);
            other.inspect_err(|_| self.free_number(task, fd)).map(|other| [fd, other])
        });
        if made.is_err() {
            self.files.truncate(first);
        }
        made.map(|[fd, other]| [(fd, first), (other, second)])
    }

    /// Returns the number that tells a file from others, as an inode does; 1 for a file without such a
    /// number.
    pub fn file_number(&self, file: FileId) -> u32 {
        let is_nameless = matches!(self.files[file].kind, Kind::Epoll(_) | Kind::Timer(_));
        if is_nameless { 1 } else { file as u32 + 2 }
    }

    /// Opens a descriptor of a new file.
    pub fn open(&mut self, task: TaskId, kind: Kind) -> io::Result<RawFd> {
        let file = self.new_file(kind);
        self.install(task, file)
    }

    pub fn file_of(&mut self, task: TaskId, fd: RawFd) -> io::Result<FileId> {
        let table = &self.process(task).table;
        let file = usize::try_from(fd).ok().and_then(|fd| table.get(fd).copied().flatten());
        file.ok_or_else(|| error(libc::EBADF))
    }

    pub fn listener_of(&mut self, task: TaskId, fd: RawFd) -> io::Result<(FileId, &mut Listen)> {
        let file = self.file_of(task, fd)?;
        match &mut self.files[file].kind {
            Kind::Listen(listen) => Ok((file, listen)),
            _ => Err(error(libc::EINVAL)),
        }
    }

    pub fn close(&mut self, task: TaskId, fd: RawFd) -> io::Result<()> {
        let file = self.file_of(task, fd)?;
        self.check_close(task, fd, file);
        let process = self.tasks[task].process;
        self.files[file].locks.remove(&process);
        self.free_number(task, fd);
        self.release(file);
        Ok(())
    }

    /// Closes a number of the program, or puts another file there.
    pub fn replace(&mut self, process: usize, fd: RawFd, new: Option<FileId>) {
        let process = &mut self.processes[process];
        let old = std::mem::replace(&mut process.table[fd as usize], new);
        if let Some(new) = new {
            self.files[new].descriptors += 1;
        } else {
            process.lowest = process.lowest.min(fd as usize);
        }
        old.into_iter().for_each(|old| self.release(old));
    }

    pub fn free_number(&mut self, task: TaskId, fd: RawFd) {
        let process = self.process(task);
        process.table[fd as usize] = None;
        process.lowest = process.lowest.min(fd as usize);
    }

    /// Removes one descriptor of a file; the file ends with its last descriptor.
    pub fn release(&mut self, file: FileId) {
        self.files[file].descriptors -= 1;
        if self.files[file].descriptors > 0 {
            return;
        }
        let queue = std::mem::take(&mut self.files[file].queue);
        for waiter in queue {
            if let Waiter::Watch { epoll, fd, .. } = waiter {
                self.forget_registration(epoll, fd, file);
            }
        }
        match std::mem::replace(&mut self.files[file].kind, Kind::Nothing) {
            Kind::Stream(stream) => self.end_stream(stream),
            Kind::Listen(listen) => listen.backlog.into_iter().for_each(|end| self.release(end)),
            Kind::Epoll(epoll) => self.end_epoll(file, &epoll),
            Kind::Timer(_) => {
                self.timers.remove(&file);
            }
            Kind::Nothing => {}
        }
    }

    /// Notifies the waiters of a file that something has happened on it.
    pub fn notify(&mut self, file: FileId) {
        self.news += 1;
        let mut at = 0;
        while let Some(waiter) = self.files[file].queue.get(at).copied() {
            match waiter {
                Waiter::Poller(task) => self.wake(task),
                Waiter::Acceptor(task) => {
                    self.files[file].queue.remove(at);
                    self.wake(task);
                    return;
                }
                Waiter::Watch { epoll, fd, exclusive } => {
                    let has_woken = self.announce(epoll, fd, file);
                    if exclusive && has_woken {
                        return;
                    }
                }
            }
            at += 1;
        }
    }

    pub fn is_readable(&self, file: FileId) -> bool {
        match &self.files[file].kind {
            Kind::Nothing => false,
            Kind::Timer(timer) => timer.has_gone_off,
            Kind::Listen(listen) => !listen.backlog.is_empty(),
            Kind::Stream(stream) => stream.is_readable(),
            Kind::Epoll(epoll) => epoll.ready.iter().any(|key| self.has_event(epoll, *key)),
        }
    }

    /// Removes a task from every queue.
    pub fn leave_all_queues(&mut self, task: TaskId) {
        for file in &mut self.files {
            file.queue.retain(|waiter| {
                *waiter != Waiter::Poller(task) && *waiter != Waiter::Acceptor(task)
            });
            if let Kind::Epoll(epoll) = &mut file.kind {
                epoll.waiters.retain(|&other| other != task);
            }
        }
        for queue in self.locks.values_mut() {
            queue.retain(|&other| other != task);
        }
    }
}
