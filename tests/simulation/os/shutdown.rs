//! The shutdown request of the calling task's process.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use crate::kernel::tasks::{call, here, with, with_me};

pub const MAX_UNCHECKED_WAIT: Duration = Duration::from_secs(1);

pub fn is_requested() -> bool {
    here(|process| process.wish)
}

/// Does nothing: no process here begins again.
pub fn restart() {}

/// Does nothing.
pub fn note_done() {}

pub fn is_accepting() -> bool {
    here(|process| process.accepting.is_some())
}

pub fn restarts() -> usize {
    0
}

pub fn wake_up_descriptor() -> io::Result<RawFd> {
    here(|process| process.wake_up.reader).map_or_else(check_wake_up, |(fd, _)| Ok(fd))
}

/// Makes what is missing, without a scheduling point, because it is called where a value is made once.
pub fn check_wake_up() -> io::Result<RawFd> {
    with_me(|kernel, me| kernel.sound_wake_up(me))
}

pub fn existing_wake_up() -> Option<RawFd> {
    with_me(|kernel, me| kernel.own_reader(kernel.tasks[me].process))
}

pub fn ignore_wake_up() {
    if is_calling() {
        return;
    }
    call(|kernel, me| kernel.read_wake_up(kernel.tasks[me].process));
    if is_calling() || is_requested() {
        call(|kernel, me| kernel.write_wake_up(kernel.tasks[me].process));
    }
    let _ = check_wake_up();
}

pub fn is_calling() -> bool {
    call(|kernel, me| kernel.process(me).calls > 0)
}

pub fn begin_call() {
    call(|kernel, me| kernel.process(me).calls += 1);
}

pub fn withdraw_call() {
    call(|kernel, me| kernel.process(me).calls -= 1);
}

pub fn call_waiting() {
    call(|kernel, me| kernel.call_waiting(kernel.tasks[me].process));
}

pub fn end_call() {
    let end = |calls: &mut u32| std::mem::replace(calls, calls.saturating_sub(1)) == 1;
    if call(|kernel, me| end(&mut kernel.process(me).calls)) && !is_requested() {
        ignore_wake_up();
    }
}

/// Does nothing: no thread leaves by siglongjmp here.
pub fn forget_abandoned_accept() {}

#[derive(Debug)]
pub struct Accepting(());

impl Accepting {
    pub fn on(fd: RawFd, file: u32) -> Self {
        here(|process| process.accepting = Some((fd, file)));
        Self(())
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            here(|process| (process.accepting, process.is_aside) = (None, false));
        }
    }
}

/// Asks a process to shut down. The signal interrupts one of its waiting threads.
pub fn request(process: usize) {
    with(|kernel| kernel.ask_to_end(process));
    crate::kernel::tasks::wake_woken();
}
