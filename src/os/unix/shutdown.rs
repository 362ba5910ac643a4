//! The shutdown request, and how it reaches every waiting thread.
//!
//! [`request`] is called from signal handlers. It sets a flag and writes to the wake-up that
//! pooled waits watch. If a single thread is about to block in accept4, it also puts a placeholder at the
//! number of the listen socket, so that accept4 fails. This covers a signal just before accept4, and an
//! accept4 that the kernel restarts under SA_RESTART. O_NONBLOCK would also do that, but it belongs to
//! the open file: sibling processes that shut down together would clear it for each other.

use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use super::descriptor::{close, file_number};
use super::error::{errno, set_errno};
use super::{mark, threads, wake_up};

/// The state of the shutdown request.
static SHUTDOWN: AtomicU8 = AtomicU8::new(NOT_REQUESTED);
const NOT_REQUESTED: u8 = 0;
const REQUESTED: u8 = 1;
/// The library has been shut down since the request, which holds until [`restart`].
const DONE: u8 = 2;
/// How many times [`restart`] has cleared a shutdown request.
static RESTARTS: AtomicUsize = AtomicUsize::new(0);
/// The listen socket that a single thread is about to block on; -1 without such a thread.
static ACCEPTING: AtomicI32 = AtomicI32::new(-1);
/// The file that had this number when the thread last looked. A thread may leave accept4 by siglongjmp,
/// and the number may be reused afterwards.
static ACCEPTING_FILE: AtomicU32 = AtomicU32::new(0);

/// A copy of the listen socket while a placeholder has its number: -1 without one, [`BUSY`] while a signal
/// handler makes it.
static SAVED_LISTENER: AtomicI32 = AtomicI32::new(-1);
const BUSY: RawFd = -2;
/// The descriptor flags of the replaced listen socket.
static SAVED_FLAGS: AtomicI32 = AtomicI32::new(0);
/// The [`file_number`] of the placeholder.
static PLACEHOLDER_FILE: AtomicU32 = AtomicU32::new(0);

/// Makes every thread that waits for a request, now or later, stop waiting. Async-signal-safe; keeps
/// errno.
pub(crate) fn request() {
    let errno = errno();
    SHUTDOWN.store(REQUESTED, Ordering::SeqCst);
    wake_up::write();
    interrupt_accept();
    set_errno(errno);
}

/// Counts a waiting thread that is going to be called. [`call_waiting`] or [`withdraw_call`] follows.
/// Async-signal-safe.
pub(crate) fn begin_call() {
    wake_up::begin_call();
}

/// Wakes the threads that wait for a request, so that one which is cancelled notices it. The others go on
/// waiting. The thread calls [`end_call`] when it has noticed. Async-signal-safe; keeps errno.
pub(crate) fn call_waiting() {
    let errno = errno();
    wake_up::write();
    interrupt_accept();
    set_errno(errno);
}

/// Ends a call for which no thread was woken. Async-signal-safe.
pub(crate) fn withdraw_call() {
    wake_up::end_call();
}

/// Ends a call of [`call_waiting`]: with the last one, the wake-up is silent again.
pub(crate) fn end_call() {
    if wake_up::end_call() && !is_requested() {
        ignore_wake_up();
    }
}

/// Returns whether a thread was called that has not noticed it yet.
pub(crate) fn is_calling() -> bool {
    wake_up::is_calling()
}

/// Makes the blocking accept4 of a single thread fail.
fn interrupt_accept() {
    let fd = ACCEPTING.load(Ordering::SeqCst);
    if fd >= 0 && !replace_listener(fd) {
        // Never cleared here: sibling processes may come to rely on it.
        let _ = mark::make_nonblocking(fd);
    }
}

/// Puts a placeholder at the number of a listen socket, in this process only. Returns false if there are
/// other threads, which may be using the number, if the number was reused, or without free descriptors.
fn replace_listener(fd: RawFd) -> bool {
    if !threads::only_one() || file_number(fd) != ACCEPTING_FILE.load(Ordering::SeqCst) {
        return false;
    }
    if SAVED_LISTENER.compare_exchange(-1, BUSY, Ordering::SeqCst, Ordering::SeqCst).is_err() {
        // An earlier signal has replaced it, or is replacing it.
        return true;
    }
    // SAFETY: these calls take numbers only, and are async-signal-safe.
    let (flags, saved, placeholder) = unsafe {
        let flags = libc::fcntl(fd, libc::F_GETFD);
        let saved = libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3);
        // Not an eventfd: all eventfds have the same file number.
        let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
        (flags, saved, libc::socket(libc::AF_UNIX, kind, 0))
    };
    // SAFETY: dup3 takes numbers only, and is async-signal-safe.
    let replaced = saved >= 0
        && placeholder >= 0
        && unsafe { libc::dup3(placeholder, fd, libc::O_CLOEXEC) } >= 0;
    PLACEHOLDER_FILE.store(file_number(fd), Ordering::SeqCst);
    if placeholder >= 0 {
        close(placeholder);
    }
    if !replaced && saved >= 0 {
        close(saved);
    }
    SAVED_FLAGS.store(flags, Ordering::SeqCst);
    SAVED_LISTENER.store(if replaced { saved } else { -1 }, Ordering::SeqCst);
    replaced
}

/// Puts the listen socket back, unless the program has closed its number in the meantime.
#[cold]
fn restore_listener(fd: RawFd) {
    let saved = SAVED_LISTENER.swap(-1, Ordering::SeqCst);
    if saved < 0 {
        return;
    }
    if file_number(fd) == PLACEHOLDER_FILE.load(Ordering::SeqCst) {
        let keeps = SAVED_FLAGS.load(Ordering::SeqCst) & libc::FD_CLOEXEC == 0;
        // SAFETY: dup3 takes numbers only.
        unsafe { libc::dup3(saved, fd, if keeps { 0 } else { libc::O_CLOEXEC }) };
    }
    close(saved);
}

/// Returns whether shutdown was requested.
pub(crate) fn is_requested() -> bool {
    SHUTDOWN.load(Ordering::SeqCst) != NOT_REQUESTED
}

/// Notes that the library has been shut down, for [`restart`]. A later request counts as a new one.
pub(crate) fn note_done() {
    let _ = SHUTDOWN.compare_exchange(REQUESTED, DONE, Ordering::SeqCst, Ordering::SeqCst);
}

/// Clears the shutdown request if it came before [`note_done`].
pub(crate) fn restart() {
    if SHUTDOWN.compare_exchange(DONE, NOT_REQUESTED, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
        RESTARTS.fetch_add(1, Ordering::SeqCst);
        // Drains the wake-up instead of replacing it: waits that watch it stay valid.
        wake_up::read();
        if is_requested() || is_calling() {
            wake_up::write();
        }
    }
}

/// Returns how many shutdown requests were cleared: the number changes with each [`restart`] that did.
pub(crate) fn restarts() -> usize {
    RESTARTS.load(Ordering::SeqCst)
}

/// The longest wait on a wake-up that was not checked. A wait that begins after a check may be longer: it
/// keeps the end that it watches, and closing the other end wakes it.
pub(crate) const MAX_UNCHECKED_WAIT: Duration = Duration::from_secs(1);

/// Returns the descriptor that becomes readable when shutdown is requested, and stays so until
/// [`restart`]. Made at the first call; each process has its own. The program may have reused its number:
/// see [`check_wake_up`].
pub(crate) fn wake_up_descriptor() -> io::Result<RawFd> {
    wake_up::descriptor(check_wake_up)
}

/// Returns the wake-up descriptor, and makes a new one if the program has closed it or reused its number.
/// A wait on the earlier one does not notice a shutdown request.
pub fn check_wake_up() -> io::Result<RawFd> {
    let fd = wake_up::ensure()?;
    // The signal may have come before the wake-up was made.
    if is_requested() {
        wake_up::write();
    }
    Ok(fd)
}

/// Returns the wake-up descriptor if it was made and its number was not reused.
pub fn existing_wake_up() -> Option<RawFd> {
    wake_up::existing()
}

/// Drains a spurious wake-up: a process made by a raw clone may share the descriptor and have written to
/// it, or the program may have closed its other end. Does nothing while a thread is called: it may not
/// have woken yet.
pub(crate) fn ignore_wake_up() {
    if is_calling() {
        return;
    }
    wake_up::read();
    // A call or a request may have come in between.
    if is_calling() || is_requested() {
        wake_up::write();
    }
    // Out of descriptors there is no new one: waiting threads then check at intervals.
    let _ = check_wake_up();
}

/// Announces a blocking accept4 for as long as it lives: [`request`] replaces the listen socket,
/// so that an accept4 that has not begun, or is restarted, fails: in a process with one thread. The
/// caller has called [`threads::only_one`] before, whose first call is not async-signal-safe.
#[derive(Debug)]
pub(crate) struct Accepting {
    fd: RawFd,
}

impl Accepting {
    /// Announces that this thread is about to block in accept4 on `fd`, which stands for `file`.
    pub(crate) fn on(fd: RawFd, file: u32) -> Self {
        ACCEPTING_FILE.store(file, Ordering::Relaxed);
        ACCEPTING.store(fd, Ordering::SeqCst);
        Self { fd }
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        ACCEPTING.store(-1, Ordering::SeqCst);
        // Only signal handlers of this thread change it.
        if SAVED_LISTENER.load(Ordering::Relaxed) != -1 {
            restore_listener(self.fd);
        }
    }
}

/// Withdraws an announced accept that the process's only thread, which is the caller, has left by
/// siglongjmp.
#[cold]
pub(crate) fn forget_abandoned_accept() {
    let fd = ACCEPTING.load(Ordering::Relaxed);
    if fd >= 0 && threads::only_one() {
        drop(Accepting { fd });
    }
}

/// Returns whether a thread is blocked in accept4 or about to be.
pub(crate) fn is_accepting() -> bool {
    forget_abandoned_accept();
    ACCEPTING.load(Ordering::SeqCst) >= 0
}
