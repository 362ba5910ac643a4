//! A small kernel that exists only in the simulation. Calls are atomic, and each takes a microsecond of
//! virtual time. Before each call any other thread may run: the scheduler is Shuttle's. While every thread
//! waits, time moves on to the earliest deadline.
//!
//! Waiting threads wake in Linux's order: all that poll, and all plain registrations. Of the threads that
//! block in accept, and of exclusive registrations, only the first that waits. [`crate::cases`] compares
//! this kernel's results with those of Linux.

pub mod accept;
pub mod checks;
pub mod epoll;
pub mod files;
pub mod stream;
pub mod tasks;
pub mod timer;
pub mod waiting;
pub mod wake_up;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use files::{File, FileId};
use tasks::{Task, TaskId};
use wake_up::WakeUp;

/// A process as the kernel and the library's os see it.
#[derive(Default)]
pub struct Process {
    pub number: usize,
    /// Whether it is a process of the program, with descriptors and statics that the library uses;
    /// others are the world's.
    pub is_program: bool,
    pub table: Vec<Option<FileId>>,
    /// A bound: every number below it is in use.
    pub lowest: usize,
    /// RLIMIT_NOFILE.
    pub limit: usize,
    /// Whether every call that makes a descriptor fails.
    pub shortage: bool,
    pub has_a_thread: bool,
    pub has_threads: bool,
    pub dead: bool,
    pub wish: bool,
    /// The number of waiting threads that were called and have not come yet.
    pub calls: u32,
    /// Whether the program polls its pool: a thread that does so waits for what the pool waits for.
    pub is_polled: bool,
    pub wake_up: WakeUp,
    /// The number on which it accepts, and what tells its file from others.
    pub accepting: Option<(RawFd, u32)>,
    /// Whether something else stands at that number.
    pub is_aside: bool,
    pub generation: usize,
    pub forks: usize,
    pub clean_up: Option<fn()>,
    /// The number of receives and closes since the kernel was last asked for events.
    pub since_asked: u32,
    /// The number of times in a row that the kernel reported events and nothing was done about them.
    pub in_vain: u32,
    /// The number of times a thread has waited for events.
    pub waits: u32,
    /// The number of times a thread has waited for a connection of its own.
    pub holds: u32,
    /// The number of next connections to be lost as they are accepted.
    pub aborts: u32,
}

pub struct Kernel {
    /// A number that tells worlds apart.
    pub world: u64,
    pub now: Duration,
    pub files: Vec<File>,
    pub processes: Vec<Process>,
    pub tasks: Vec<Task>,
    /// The number of tasks that do not wait.
    pub running: usize,
    /// The number of tasks that have not ended, without the world's own.
    pub alive: usize,
    /// The tasks to wake when the call is over.
    pub woken: Vec<TaskId>,
    pub locks: BTreeMap<usize, Vec<TaskId>>,
    /// The timers that are set.
    pub timers: BTreeSet<FileId>,
    /// The number of times that anything has happened on a file.
    pub news: u64,
    pub joiners: Vec<TaskId>,
    pub environment: BTreeMap<&'static str, String>,
    pub checks: checks::Checks,
    /// The number of times each request was served.
    pub served: BTreeMap<u32, u32>,
    /// Files with unhandled input that a thread may take, and since when it has been there.
    pub unheard: BTreeMap<FileId, Duration>,
    /// The process that served each request last.
    pub servers: BTreeMap<u32, usize>,
}

impl Kernel {
    pub fn process(&mut self, task: TaskId) -> &mut Process {
        let process = self.tasks[task].process;
        &mut self.processes[process]
    }

    /// Adds a process with nothing but the three standard descriptors, which stand for nothing here.
    pub fn new_process(&mut self, is_program: bool, limit: usize) -> usize {
        let nothing = self.new_file(files::Kind::Nothing);
        self.files[nothing].descriptors = 3;
        let number = self.processes.len();
        let table = vec![Some(nothing); 3];
        self.processes.push(Process { number, is_program, table, limit, ..Process::default() });
        number
    }

    /// Ends a process immediately, whatever its threads are doing.
    pub fn kill(&mut self, process: usize) {
        self.processes[process].dead = true;
        for fd in 0..self.processes[process].table.len() {
            if let Some(file) = self.processes[process].table[fd].take() {
                self.files[file].locks.remove(&process);
                self.release(file);
            }
        }
        for task in 0..self.tasks.len() {
            if self.tasks[task].process == process {
                self.leave_all_queues(task);
                self.wake(task);
            }
        }
    }

    /// Asks a process to shut down, as SIGTERM does.
    pub fn ask_to_end(&mut self, process: usize) {
        self.processes[process].wish = true;
        self.write_wake_up(process);
        self.interrupt_accept(process);
        let waits = |task: &&mut Task| task.process == process && task.waits && task.ends_by_signal;
        if let Some(task) = self.tasks.iter_mut().find(waits) {
            task.signalled = true;
            let number = task.number;
            self.wake(number);
        }
    }

    /// Wakes the waiting threads of a process, so that one of them notices that it is cancelled.
    pub fn call_waiting(&mut self, process: usize) {
        self.write_wake_up(process);
        self.interrupt_accept(process);
    }

    fn interrupt_accept(&mut self, process: usize) {
        let Some((fd, number)) = self.processes[process].accepting else { return };
        let file = self.processes[process].table.get(fd as usize).copied().flatten();
        let is_own = file.is_some_and(|file| self.file_number(file) == number);
        let asked = &mut self.processes[process];
        // Otherwise other threads may be using the number.
        asked.is_aside = is_own && !asked.has_threads;
        if let Some(file) = file.filter(|_| !asked.is_aside) {
            let file = &mut self.files[file];
            file.locks.insert(process, false);
            file.marked |= !file.nonblocking;
            file.nonblocking = true;
        }
    }

    /// Adds a process with a copy of each descriptor of another one. It does nothing.
    pub fn fork(&mut self, of: usize) -> usize {
        let table = self.processes[of].table.clone();
        for file in table.iter().flatten() {
            self.files[*file].descriptors += 1;
        }
        self.processes[of].forks += 1;
        let number = self.processes.len();
        self.processes.push(Process { number, table, ..Process::default() });
        number
    }
}

/// Returns the error of a system call.
pub fn error(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}
