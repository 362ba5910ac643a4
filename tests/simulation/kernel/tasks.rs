//! Tasks: threads of processes. How they call the kernel, wait and end, and how time moves on.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use shuttle::sync::atomic::{AtomicBool, Ordering};
use shuttle::thread::{self, Thread};

use super::{Kernel, Process};

/// The number of a task, as Shuttle counts them.
pub type TaskId = usize;

/// The time that each call takes.
const CALL: Duration = Duration::from_micros(1);

pub struct Task {
    pub number: TaskId,
    pub process: usize,
    thread: Option<Thread>,
    pub waits: bool,
    /// The deadline of its wait.
    pub until: Option<Duration>,
    pub ends_by_signal: bool,
    pub signalled: bool,
    /// Whether it is a thread of the parent, seen from the child: it does not go on.
    pub frozen: bool,
    pub ended: bool,
    /// The number of times that it has waited for anything but a lock.
    pub sleeps: u32,
    /// A name for what it waits for.
    pub what: &'static str,
}

/// The panic payload that unwinds the stack of a thread whose process is dead.
struct Killed;

/// The reason why a wait ended without success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    TimedOut,
    Interrupted,
}

thread_local! {
    static KERNEL: RefCell<Option<Kernel>> = const { RefCell::new(None) };
    /// A value whose reading is a scheduling point, and nothing else.
    static POINT: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
}

/// Starts the kernel of a new world; the calling task is in process 0.
pub fn begin(kernel: Kernel) {
    KERNEL.with(|cell| *cell.borrow_mut() = Some(kernel));
    POINT.with(|cell| *cell.borrow_mut() = Some(Arc::new(AtomicBool::new(false))));
    with(|kernel| kernel.running = 1);
    enter(0);
}

/// Uses the kernel without a scheduling point, and in no time.
pub fn with<T>(look: impl FnOnce(&mut Kernel) -> T) -> T {
    KERNEL.with(|cell| look(cell.borrow_mut().as_mut().expect("a world")))
}

/// Does the same as [`with`], unless the kernel is in use.
pub fn try_with(look: impl FnOnce(&mut Kernel)) {
    KERNEL.with(|cell| {
        if let Ok(Some(kernel)) = cell.try_borrow_mut().as_deref_mut() {
            look(kernel);
        }
    });
}

pub fn me() -> TaskId {
    shuttle::current::me().into()
}

pub fn with_me<T>(look: impl FnOnce(&mut Kernel, TaskId) -> T) -> T {
    let me = me();
    with(|kernel| look(kernel, me))
}

/// Uses the process of the calling task.
pub fn here<T>(look: impl FnOnce(&mut Process) -> T) -> T {
    with_me(|kernel, me| look(kernel.process(me)))
}

/// Makes a scheduling point; a thread of a dead process ends here.
fn point() {
    let point = POINT.with(|cell| cell.borrow().clone()).expect("a world");
    point.load(Ordering::SeqCst);
    go_on();
}

/// Returns only if the calling thread is to go on.
fn go_on() {
    loop {
        let (dead, frozen) =
            with_me(|kernel, me| (kernel.process(me).dead, kernel.tasks[me].frozen));
        match (frozen, dead) {
            (true, _) => thread::park(),
            (false, true) => resume_unwind(Box::new(Killed)),
            (false, false) => return,
        }
    }
}

/// Returns what every thread is doing, to be printed with a failure.
pub fn report() -> String {
    KERNEL.with(|cell| {
        let kernel = cell.borrow();
        let Some(kernel) = kernel.as_ref() else { return String::new() };
        let tasks = kernel.tasks.iter().filter(|task| !task.ended).map(|task| {
            let Task { number, process, waits, frozen, what, until, .. } = task;
            format!("  thread {number} of {process}: waits {waits}, last for {what} until {until:?}, frozen {frozen}\n")
        });
        format!("after {:?}, of processes and threads:\n{}", kernel.now, tasks.collect::<String>())
    })
}

/// Makes a system call that does not wait.
pub fn call<T>(what: impl FnOnce(&mut Kernel, TaskId) -> T) -> T {
    point();
    let result = with_me(|kernel, me| {
        kernel.now += CALL;
        kernel.wake_due();
        what(kernel, me)
    });
    wake_and_go_on();
    result
}

/// Lets the tasks go on that the kernel has woken.
pub fn wake_woken() {
    let woken = with(|kernel| {
        let woken = std::mem::take(&mut kernel.woken);
        woken.iter().filter_map(|&task| kernel.tasks[task].thread.clone()).collect::<Vec<_>>()
    });
    woken.iter().for_each(Thread::unpark);
}

/// Does the same as [`wake_woken`], in a thread whose process may be dead by then.
fn wake_and_go_on() {
    wake_woken();
    go_on();
}

/// Makes a call that waits until `look` finds something, in the queues that `queue` enters and leaves.
pub fn wait<T>(
    what: &'static str,
    until: Option<Duration>,
    mut look: impl FnMut(&mut Kernel, TaskId) -> Option<T>,
    queue: impl Fn(&mut Kernel, TaskId, bool),
) -> Result<T, Ended> {
    // A signal that came earlier interrupts nothing any more.
    with_me(|kernel, me| kernel.tasks[me].signalled = false);
    loop {
        let found = call(|kernel, me| {
            if let Some(found) = look(kernel, me) {
                return Some(Ok(found));
            }
            if std::mem::take(&mut kernel.tasks[me].signalled) {
                return Some(Err(Ended::Interrupted));
            }
            if until.is_some_and(|until| until <= kernel.now) {
                return Some(Err(Ended::TimedOut));
            }
            queue(kernel, me, true);
            let task = &mut kernel.tasks[me];
            (task.until, task.what) = (until, what);
            task.ends_by_signal = what != "a lock";
            task.sleeps += u32::from(what != "a lock");
            kernel.put_to_sleep(me);
            None
        });
        if let Some(found) = found {
            return found;
        }
        while with_me(|kernel, me| kernel.tasks[me].waits) {
            thread::park();
        }
        go_on();
        with_me(|kernel, me| queue(kernel, me, false));
    }
}

/// Waits for the given time.
pub fn sleep(time: Duration) {
    let until = with(|kernel| kernel.now) + time;
    // A signal does not end a sleep of the program.
    while wait("the time", Some(until), |_, _| None::<()>, |_, _, _| {}) == Err(Ended::Interrupted)
    {
    }
}

/// Wakes the tasks that wait for the lock at this address, which is free now.
pub fn unlocked(address: usize) {
    if std::thread::panicking() {
        return;
    }
    with(|kernel| {
        for task in kernel.locks.remove(&address).unwrap_or_default() {
            kernel.wake(task);
        }
    });
    wake_and_go_on();
}

fn enter(process: usize) {
    let thread = Some(thread::current());
    with_me(|kernel, me| {
        while kernel.tasks.len() <= me {
            let number = kernel.tasks.len();
            kernel.tasks.push(Task {
                number,
                process: 0,
                thread: None,
                waits: false,
                until: None,
                ends_by_signal: false,
                signalled: false,
                frozen: false,
                ended: true,
                sleeps: 0,
                what: "",
            });
        }
        let task = &mut kernel.tasks[me];
        (task.process, task.thread, task.ended) = (process, thread, false);
    });
}

/// A running thread of a process.
pub struct Handle {
    handle: thread::JoinHandle<TaskId>,
}

/// Starts a thread of a process.
pub fn spawn(process: usize, run: impl FnOnce() + Send + 'static) -> Handle {
    with(|kernel| {
        kernel.running += 1;
        kernel.alive += 1;
    });
    let handle = thread::spawn(move || {
        enter(process);
        let result = catch_unwind(AssertUnwindSafe(|| {
            go_on();
            run();
        }));
        if let Err(payload) = result {
            if !payload.is::<Killed>() {
                resume_unwind(payload);
            }
        }
        with_me(|kernel, me| kernel.end(me));
        wake_woken();
        me()
    });
    Handle { handle }
}

impl Handle {
    /// Waits until it has ended.
    pub fn join(self) {
        let number: TaskId = self.handle.thread().id().into();
        wait_for_ends(|kernel| {
            kernel.tasks.get(number).is_some_and(|task| task.ended && task.thread.is_some())
        });
        let _ = self.handle.join();
    }
}

/// Waits until all other threads have ended.
pub fn join_all() {
    wait_for_ends(|kernel| kernel.alive == 0);
}

/// Waits for a condition, and looks again whenever a thread has ended.
fn wait_for_ends(are_over: impl Fn(&Kernel) -> bool) {
    let queue = |kernel: &mut Kernel, me, enters: bool| {
        kernel.joiners.retain(|&task| task != me);
        if enters {
            kernel.joiners.push(me);
        }
    };
    let _ = wait("the end of a thread", None, |kernel, _| are_over(kernel).then_some(()), queue);
}

impl Kernel {
    /// Lets a task go on at the end of this call, or of the current one.
    pub fn wake(&mut self, task: TaskId) {
        let task = &mut self.tasks[task];
        if task.waits && !task.frozen {
            task.waits = false;
            self.running += 1;
            self.woken.push(task.number);
        }
    }

    fn put_to_sleep(&mut self, task: TaskId) {
        self.tasks[task].waits = true;
        self.running -= 1;
        self.let_time_pass();
    }

    fn end(&mut self, task: TaskId) {
        self.tasks[task].ended = true;
        self.alive -= 1;
        for joiner in std::mem::take(&mut self.joiners) {
            self.wake(joiner);
        }
        self.running -= 1;
        self.let_time_pass();
    }

    /// Moves the clock to the earliest deadline while every task waits.
    fn let_time_pass(&mut self) {
        while self.running == 0 {
            self.check_in_silence();
            let waits = |task: &&Task| task.waits && !task.frozen && !task.ended;
            let ends = self.tasks.iter().filter(waits).filter_map(|task| task.until);
            let Some(earliest) = ends.chain(self.next_timer()).min() else {
                let all = self.tasks.iter().filter(waits);
                let all: Vec<_> = all.map(|task| (task.number, task.process, task.what)).collect();
                assert!(
                    all.is_empty(),
                    "every thread waits for ever (thread, process, for what): {all:?}"
                );
                return;
            };
            self.check_patience_of_peers(earliest);
            self.now = self.now.max(earliest);
            self.wake_due();
        }
    }

    /// Wakes the tasks whose deadline has come, and lets timers go off.
    fn wake_due(&mut self) {
        self.let_timers_go_off();
        for task in 0..self.tasks.len() {
            if self.tasks[task].until.is_some_and(|until| until <= self.now) {
                self.wake(task);
            }
        }
    }

    pub fn queue_for_lock(&mut self, address: usize, task: TaskId, enters: bool) {
        let queue = self.locks.entry(address).or_default();
        queue.retain(|&other| other != task);
        if enters {
            queue.push(task);
        }
    }

    /// Stops all other threads of the task's process: they are the parent's.
    pub fn freeze_others(&mut self, me: TaskId) {
        let process = self.tasks[me].process;
        for number in 0..self.tasks.len() {
            let task = &self.tasks[number];
            if number == me || task.process != process || task.ended {
                continue;
            }
            if !task.waits {
                self.running -= 1;
            }
            self.leave_all_queues(number);
            let task = &mut self.tasks[number];
            (task.waits, task.until, task.frozen) = (true, None, true);
        }
    }

    /// Ends the frozen threads at the end of the world, as threads of a dead process.
    pub fn end_frozen(&mut self, dead: usize) {
        for number in 0..self.tasks.len() {
            if std::mem::take(&mut self.tasks[number].frozen) {
                self.tasks[number].process = dead;
                self.wake(number);
            }
        }
    }
}
