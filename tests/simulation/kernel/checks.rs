//! Checks of what holds after every step of every case: the invariants at the head of [`crate::serve`]
//! that the kernel can see.

use std::os::fd::RawFd;
use std::time::Duration;

use super::files::{FileId, Kind, Waiter};
use super::stream::Life;
use super::tasks::{Task, TaskId};
use super::{Kernel, Process};
use crate::os::poll::Interest;

/// The limits that the kernel checks; a case may set others.
pub struct Checks {
    /// The most parked connections of one process.
    pub most_parked: usize,
    /// How long a connection may stay open without a request, if there is a limit.
    pub patience: Option<Duration>,
    /// Whether no event is lost: every event is handled before time passes.
    pub is_lossless: bool,
    /// How many times one thread may receive or close before it asks the kernel for events.
    pub most_unasked: u32,
    /// How long input may wait on a parked connection while a thread waits for others too. Such a
    /// thread holds its own connection, or does not know yet that no thread holds the parked one.
    pub most_unheard: Duration,
    /// How long a connection may wait to be accepted while threads hold their own connections.
    pub most_unaccepted: Duration,
    /// How long a process with one thread waits for the head of a connection before it enters the
    /// program with a request of another connection.
    pub grace: Duration,
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            most_parked: usize::MAX,
            patience: Some(Duration::from_secs(2)),
            is_lossless: true,
            most_unasked: 64,
            most_unheard: Duration::from_micros(10_500),
            most_unaccepted: Duration::from_micros(5500),
            grace: Duration::ZERO,
        }
    }
}

/// The time allowed for doing what is due.
const MOMENT: Duration = Duration::from_millis(30);

/// Returns the epoll instance in which this number is registered.
fn watched_by(number: RawFd) -> impl Fn(&Waiter) -> Option<FileId> {
    move |waiter| match waiter {
        Waiter::Watch { epoll, fd, .. } if *fd == number => Some(*epoll),
        _ => None,
    }
}

/// The most events in a row that a process may find already handled, because another thread or process
/// was faster.
const MOST_IN_VAIN: u32 = 50;

impl Kernel {
    /// Counts a receive or a close that happens without asking the kernel for events.
    pub fn count_unasked(&mut self, task: TaskId) {
        let threads = self.threads_of(self.tasks[task].process);
        let most = self.checks.most_unasked * threads;
        let process = self.process(task);
        if process.is_program && !process.wish {
            process.since_asked += 1;
            process.in_vain = 0;
            assert!(process.since_asked <= most, "the kernel is not asked for what has come");
        }
    }

    /// Notes that the kernel is asked for events, and checks that it does not report the same event
    /// forever.
    pub fn has_asked(&mut self, task: TaskId, finds: bool) {
        let process = self.process(task);
        process.since_asked = 0;
        process.in_vain = if finds { process.in_vain + 1 } else { 0 };
        let is_busy = process.is_program && !process.wish && process.in_vain > MOST_IN_VAIN;
        assert!(!is_busy, "an event is reported again and again, and nothing is done about it");
    }

    pub fn threads_of(&self, process: usize) -> u32 {
        self.tasks.iter().filter(|task| task.process == process && !task.ended).count() as u32
    }

    /// Checks that no epoll instance of the program's process watches what it closes: a copy in a child
    /// would keep the registration.
    pub fn check_close(&mut self, task: TaskId, fd: RawFd, file: FileId) {
        self.count_unasked(task);
        if !self.process(task).is_program {
            return;
        }
        let instances: Vec<FileId> =
            self.files[file].queue.iter().filter_map(watched_by(fd)).collect();
        let is_left = |kernel: &mut Self, file| kernel.epoll(file).is_ok_and(|epoll| epoll.is_left);
        let is_watched = instances.iter().any(|epoll| {
            !is_left(self, *epoll) && self.process(task).table.contains(&Some(*epoll))
        });
        assert!(!is_watched, "descriptor {fd} is closed while it is watched");
    }

    /// Notes that the program gets a connection with a request.
    pub fn give_to_program(&mut self, task: TaskId, fd: RawFd) {
        let file = self.file_of(task, fd).expect("the program gets an open descriptor");
        let life = &mut self.stream(file).expect("a connection").life;
        assert!(!life.in_program, "descriptor {fd} has two requests at the same time");
        (life.in_program, life.had_request) = (true, true);
        self.process(task).in_vain = 0;
        let now = self.now;
        if !self.process(task).has_threads && !self.process(task).wish {
            let open: Vec<FileId> = self.process(task).table.iter().copied().flatten().collect();
            let unserved = open.iter().filter_map(|file| self.life(*file));
            let too_young = unserved
                .filter(|life| !life.had_request)
                .filter_map(|life| life.accepted_at)
                .find(|since| now < *since + self.checks.grace);
            assert_eq!(too_young, None, "a request is served before the grace time is over");
        }
    }

    /// Notes that the program has finished its request.
    pub fn take_from_program(&mut self, task: TaskId, fd: RawFd) {
        if let Ok(file) = self.file_of(task, fd) {
            self.stream(file).expect("a connection").life.in_program = false;
        }
    }

    /// Checks, while every thread waits, that there is nothing left to do.
    pub fn check_in_silence(&self) {
        for process in self.processes.iter().filter(|process| process.is_program && !process.dead) {
            if !process.wish {
                self.check_process(process.number);
            }
        }
    }

    fn check_process(&self, process: usize) {
        let table = &self.processes[process].table;
        let open =
            || table.iter().enumerate().filter_map(|(fd, file)| Some((fd as RawFd, (*file)?)));
        let instances = open().filter_map(|(_, file)| match &self.files[file].kind {
            Kind::Epoll(epoll) => Some((file, epoll)),
            _ => None,
        });
        let waits = |task: TaskId| !self.tasks[task].ended && self.tasks[task].process == process;
        for (file, epoll) in instances {
            let is_asked =
                epoll.waiters.iter().any(|&task| waits(task)) || self.is_polled_by(process, file);
            let parked = epoll.registrations.iter().filter(|((fd, file), registration)| {
                let is_free = self.life(*file).is_some_and(|life| !life.in_program);
                is_free
                    && registration.armed
                    && registration.interest != Interest::Silent
                    && table.get(*fd as usize) == Some(&Some(*file))
            });
            let (mut count, mut unheard) = (0, None);
            for ((fd, file), _) in parked {
                count += 1;
                unheard = unheard.or(self.is_readable(*file).then_some(*fd));
            }
            // A thread that polls may hold a registered connection.
            let most = self.checks.most_parked.saturating_add(self.waiting_for(process, "poll"));
            assert!(count <= most, "process {process} has {count} parked connections");
            if is_asked && self.checks.is_lossless {
                assert_eq!(unheard, None, "process {process} misses what has come");
            }
        }
        let is_polled = open().any(|(_, file)| self.is_polled_by(process, file));
        if is_polled || self.waiting_for(process, "epoll_wait") > 0 {
            self.check_patience(process, open());
            self.check_entrance(open());
        }
    }

    /// Returns whether the process's program polls its pool, and a thread waits until this file, the
    /// pool's epoll instance, is readable.
    fn is_polled_by(&self, process: usize, file: FileId) -> bool {
        let polls = |waiter: &Waiter| match waiter {
            Waiter::Poller(task) => self.tasks[*task].waits && self.tasks[*task].process == process,
            _ => false,
        };
        let is_instance = matches!(self.files[file].kind, Kind::Epoll(_));
        let is_polled = self.processes[process].is_polled;
        is_polled && is_instance && self.files[file].queue.iter().any(polls)
    }

    /// Returns the number of threads of the process that wait in this call.
    fn waiting_for(&self, process: usize, what: &str) -> usize {
        let waits = |task: &&Task| task.process == process && task.waits && !task.frozen;
        self.tasks.iter().filter(waits).filter(|task| task.what == what).count()
    }

    /// Checks, while every thread waits until the given time, that no input on a parked connection and
    /// no connection to be accepted is left for too long while a thread waits for it.
    pub fn check_patience_of_peers(&mut self, until: Duration) {
        let before = std::mem::take(&mut self.unheard);
        if !self.checks.is_lossless {
            return;
        }
        for process in 0..self.processes.len() {
            let Process { is_program, dead, wish, has_threads, .. } = self.processes[process];
            let waits = self.waiting_for(process, "epoll_wait") > 0
                || self.waiting_for(process, "a semaphore") > 0
                || has_threads && self.waiting_for(process, "poll") > 0;
            if !is_program || dead || wish || !waits {
                continue;
            }
            for file in self.processes[process].table.iter().copied().flatten() {
                let limit = match &self.files[file].kind {
                    Kind::Listen(_) => self.checks.most_unaccepted,
                    Kind::Stream(stream) if !stream.life.is_free() => continue,
                    Kind::Stream(_) => self.checks.most_unheard,
                    _ => continue,
                };
                if !self.is_readable(file) {
                    continue;
                }
                let since = before.get(&file).copied().unwrap_or(self.now);
                self.unheard.insert(file, since);
                let waits = until - since;
                assert!(waits <= limit, "what has come on file {file} waits for {waits:?}");
            }
        }
    }

    /// Checks that the listen socket is not left non-blocking by the last process that relies on its
    /// flags.
    pub fn check_flags(&self, listen: FileId) {
        let listen = &self.files[listen];
        let is_left = listen.marked && listen.locks.is_empty();
        assert!(!is_left, "the listen socket is left non-blocking");
    }

    /// Counts a thread of a program that begins to poll a connection of its own.
    pub fn count_hold(&mut self, task: TaskId, fds: &[RawFd]) {
        let own = fds.first().and_then(|&fd| self.file_of(task, fd).ok());
        let is_parked = own.and_then(|file| self.life(file)).is_some_and(|life| life.is_free());
        let process = self.process(task);
        process.holds += u32::from(is_parked && process.has_threads && !process.wish);
    }

    fn check_patience(&self, process: usize, open: impl Iterator<Item = (RawFd, FileId)>) {
        let Some(patience) = self.checks.patience else { return };
        for (fd, file) in open {
            let Some(life) = self.life(file).filter(|life| !life.had_request) else { continue };
            let since = life.accepted_at.unwrap_or(self.now);
            let is_late = self.now > since + patience + MOMENT;
            assert!(!is_late, "descriptor {fd} of process {process} has had no request, and stays");
        }
    }

    /// Checks that a connection that waits to be accepted was announced to the waiting threads.
    fn check_entrance(&self, open: impl Iterator<Item = (RawFd, FileId)>) {
        for (_, file) in open {
            if let Kind::Listen(listen) = &self.files[file].kind {
                let is_heard = listen.backlog.is_empty() || !self.checks.is_lossless;
                assert!(is_heard, "a connection waits, and so does a thread");
            }
        }
    }

    /// Returns the state of a connection that a process has accepted.
    pub fn life(&self, file: FileId) -> Option<Life> {
        match &self.files[file].kind {
            Kind::Stream(stream) => Some(stream.life).filter(|life| life.accepted_at.is_some()),
            _ => None,
        }
    }
}
