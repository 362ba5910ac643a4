//! The record of who made a listen socket non-blocking.

use std::io;
use std::os::fd::RawFd;

use super::socket::check_listens;
use crate::kernel::error;
use crate::kernel::tasks::call;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiter {
    Library,
    Program,
}

/// Whether O_NONBLOCK is set, and the library's mark (O_APPEND).
type Flags = (bool, bool);

fn flags(fd: RawFd) -> io::Result<Flags> {
    call(|kernel, me| {
        let file = kernel.file_of(me, fd)?;
        Ok((kernel.files[file].nonblocking, kernel.files[file].marked))
    })
}

fn set_flags(fd: RawFd, flags: Flags) -> io::Result<()> {
    call(|kernel, me| {
        let file = kernel.file_of(me, fd)?;
        (kernel.files[file].nonblocking, kernel.files[file].marked) = flags;
        Ok(())
    })
}

/// A kind of lock that a process has on a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lock {
    None,
    Shared,
    Exclusive,
}

fn lock(fd: RawFd, kind: Lock) -> io::Result<()> {
    call(|kernel, me| {
        let file = kernel.file_of(me, fd)?;
        let process = kernel.tasks[me].process;
        let locks = &mut kernel.files[file].locks;
        let mut others = locks.iter().filter(|(other, _)| **other != process);
        let is_free = match kind {
            Lock::None => true,
            Lock::Shared => others.all(|(_, is_exclusive)| !is_exclusive),
            Lock::Exclusive => others.next().is_none(),
        };
        if !is_free {
            return Err(error(libc::EAGAIN));
        }
        locks.remove(&process);
        if kind != Lock::None {
            locks.insert(process, kind == Lock::Exclusive);
        }
        Ok(())
    })
}

fn waiter(flags: Flags) -> Waiter {
    if flags == (true, false) { Waiter::Program } else { Waiter::Library }
}

/// Returns whether the program made the socket non-blocking. No non-blocking socket is inherited here.
pub fn nonblocking_by_program(fd: RawFd) -> bool {
    flags(fd).is_ok_and(|flags| waiter(flags) == Waiter::Program)
}

pub fn nonblocking_by_library(fd: RawFd) -> bool {
    flags(fd).is_ok_and(|flags| flags == (true, true))
}

pub fn make_nonblocking(fd: RawFd) -> io::Result<Waiter> {
    while lock(fd, Lock::Shared).is_err_and(|error| error.raw_os_error() == Some(libc::EAGAIN)) {}
    let flags = flags(fd)?;
    if flags.0 {
        return Ok(waiter(flags));
    }
    check_listens(fd)?;
    set_flags(fd, (true, true))?;
    Ok(Waiter::Library)
}

pub fn take_back(fd: RawFd) {
    if !nonblocking_by_library(fd) || check_listens(fd).is_err() {
        return;
    }
    if lock(fd, Lock::None).and_then(|()| lock(fd, Lock::Exclusive)).is_ok() {
        if nonblocking_by_library(fd) {
            let _ = set_flags(fd, (false, false));
        }
        let _ = lock(fd, Lock::None);
    }
}
