//! Signal handlers, and the shutdown request that they pass to every waiting thread.
//!
//! [`request_shutdown`] is called from signal handlers. It sets a flag and writes to the wake-up that
//! pooled waits watch. If a single thread is about to block in accept4, it also puts a placeholder at the
//! number of the listen socket, so that accept4 fails. This covers a signal just before accept4, and an
//! accept4 that the kernel restarts under SA_RESTART. O_NONBLOCK would also do that, but it belongs to
//! the open file: sibling processes that shut down together would clear it for each other.

use std::io;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use super::descriptor::{close, file_number};
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
/// The file that had this number when its listener was made. A thread may leave accept4 by siglongjmp,
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
pub fn request_shutdown() {
    // SAFETY: errno belongs to the thread and always exists.
    let errno = unsafe { *libc::__errno_location() };
    SHUTDOWN.store(REQUESTED, Ordering::SeqCst);
    wake_up::write();
    let fd = ACCEPTING.load(Ordering::SeqCst);
    if fd >= 0 && !replace_listener(fd) {
        // Never cleared here: sibling processes may come to rely on it.
        let _ = mark::make_nonblocking(fd);
    }
    // SAFETY: errno belongs to the thread and always exists.
    unsafe { *libc::__errno_location() = errno };
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
pub fn shutdown_requested() -> bool {
    SHUTDOWN.load(Ordering::SeqCst) != NOT_REQUESTED
}

/// Notes that the library has been shut down, for [`restart`]. A later request counts as a new one.
pub fn shutdown_is_done() {
    let _ = SHUTDOWN.compare_exchange(REQUESTED, DONE, Ordering::SeqCst, Ordering::SeqCst);
}

/// Clears the shutdown request if it came before [`shutdown_is_done`].
pub fn restart() {
    if SHUTDOWN.compare_exchange(DONE, NOT_REQUESTED, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
        RESTARTS.fetch_add(1, Ordering::SeqCst);
        // Drains the wake-up instead of replacing it: waits that watch it stay valid.
        wake_up::read();
        if shutdown_requested() {
            wake_up::write();
        }
    }
}

/// Returns how many shutdown requests were cleared: the number changes with each [`restart`] that did.
pub fn restarts() -> usize {
    RESTARTS.load(Ordering::SeqCst)
}

/// The longest wait on a wake-up that was not checked. A wait that begins after a check may be longer: it
/// keeps the end that it watches, and closing the other end wakes it.
pub const MAX_UNCHECKED_WAIT: Duration = Duration::from_secs(1);

/// Returns the descriptor that becomes readable when shutdown is requested, and stays so until
/// [`restart`]. Made at the first call; each process has its own. The program may have reused its number:
/// see [`check_wake_up`].
pub fn wake_up_descriptor() -> io::Result<RawFd> {
    wake_up::descriptor(check_wake_up)
}

/// Returns the wake-up descriptor, and makes a new one if the program has closed it or reused its number.
/// A wait on the earlier one does not notice a shutdown request.
pub fn check_wake_up() -> io::Result<RawFd> {
    let fd = wake_up::ensure()?;
    // The signal may have come before the wake-up was made.
    if shutdown_requested() {
        wake_up::write();
    }
    Ok(fd)
}

/// Returns the wake-up descriptor if it was made and its number was not reused.
pub fn existing_wake_up() -> Option<RawFd> {
    wake_up::existing()
}

/// Drains a spurious wake-up: a process made by a raw clone may share the descriptor and have written to
/// it, or the program may have closed its other end.
pub fn ignore_wake_up() {
    wake_up::read();
    // Out of descriptors there is no new one: waiting threads then check at intervals.
    let _ = check_wake_up();
}

/// Announces a blocking accept4 for as long as it lives: [`request_shutdown`] replaces the listen socket,
/// so that an accept4 that has not begun, or is restarted, fails. For a process with one thread. The
/// caller has called [`threads::only_one`] before, whose first call is not async-signal-safe.
#[derive(Debug)]
pub struct Accepting {
    fd: RawFd,
}

impl Accepting {
    /// Announces that this thread is about to block in accept4 on `fd`, which stands for `file`.
    pub fn on(fd: RawFd, file: u32) -> Self {
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

extern "C" fn on_shutdown_signal(_: libc::c_int) {
    request_shutdown();
}

/// A handler instead of SIG_IGN, because executed programs inherit SIG_IGN, but not a handler.
extern "C" fn on_broken_pipe(_: libc::c_int) {}

/// The action of `signal` before [`install`]: SIG_DFL or SIG_IGN. The library replaces no others.
struct ReplacedAction {
    signal: libc::c_int,
    action: AtomicUsize,
}

/// The signals that request shutdown.
static REPLACED_ACTIONS: [ReplacedAction; 2] = [
    ReplacedAction { signal: libc::SIGUSR1, action: AtomicUsize::new(libc::SIG_DFL) },
    ReplacedAction { signal: libc::SIGTERM, action: AtomicUsize::new(libc::SIG_DFL) },
];

/// Returns the current action of a signal: SIG_DFL, SIG_IGN or a handler.
fn action_of(signal: libc::c_int) -> Option<libc::sighandler_t> {
    full_action_of(signal).map(|action| action.sa_sigaction)
}

/// Returns the current action of a signal with its flags.
fn full_action_of(signal: libc::c_int) -> Option<libc::sigaction> {
    // SAFETY: sigaction is plain data, for which zero is a value.
    let mut old: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: sigaction writes the current action to a place that outlives the call.
    let result = unsafe { libc::sigaction(signal, ptr::null(), &raw mut old) };
    (result == 0).then_some(old)
}

/// Returns whether a signal that has interrupted poll(2) would also have interrupted accept(2). False if
/// the program has handlers and all of them have SA_RESTART, after which the kernel restarts accept. If
/// some have and others have not, the answer is true: it is not known which handler has run.
pub fn would_interrupt_accept() -> bool {
    let ours = [address(on_shutdown_signal), address(on_broken_pipe)];
    let mut flags = (1..=libc::SIGRTMAX()).filter_map(|signal| {
        let found = full_action_of(signal)?;
        let is_handler = ![libc::SIG_DFL, libc::SIG_IGN].contains(&found.sa_sigaction);
        (is_handler && !ours.contains(&found.sa_sigaction)).then_some(found.sa_flags)
    });
    // Without handlers the answer is true: a handler may have been reset when it ran (SA_RESETHAND).
    flags.next().is_none_or(|first| {
        std::iter::once(first).chain(flags).any(|flags| flags & libc::SA_RESTART == 0)
    })
}

/// Sets the action of a signal.
fn set_action(signal: libc::c_int, action: libc::sighandler_t, flags: libc::c_int) {
    // SAFETY: sigaction is plain data, for which zero is a value.
    let mut new: libc::sigaction = unsafe { std::mem::zeroed() };
    new.sa_sigaction = action;
    new.sa_flags = flags;
    // SAFETY: callers pass SIG_DFL, SIG_IGN or one of the handlers above, which are async-signal-safe and
    // live as long as the process: libfcgi.so is linked with nodelete.
    unsafe {
        libc::sigemptyset(&raw mut new.sa_mask);
        libc::sigaction(signal, &raw const new, ptr::null_mut());
    }
}

fn address(handler: extern "C" fn(libc::c_int)) -> libc::sighandler_t {
    handler as *const () as usize
}

/// Installs a handler if the program has none. Returns the action that it replaces.
///
/// The handler runs on the thread's signal stack, if there is one: with some languages' runtimes the
/// normal stack is too small.
fn install_one(
    signal: libc::c_int,
    handler: extern "C" fn(libc::c_int),
) -> Option<libc::sighandler_t> {
    let old = action_of(signal).filter(|old| [libc::SIG_DFL, libc::SIG_IGN].contains(old))?;
    set_action(signal, address(handler), libc::SA_ONSTACK);
    Some(old)
}

/// Makes a broken pipe only an error of the write. Executed programs are not affected.
pub fn outlive_broken_pipes() {
    let _ = install_one(libc::SIGPIPE, on_broken_pipe);
}

/// Installs handlers for SIGTERM and SIGUSR1, which request shutdown, and for SIGPIPE, which does nothing
/// because the write reports the error. Each is only installed where the program has the default action or
/// ignores the signal. Without SA_RESTART: these signals interrupt the program's own waits.
pub fn install() {
    outlive_broken_pipes();
    for replaced in &REPLACED_ACTIONS {
        if let Some(old) = install_one(replaced.signal, on_shutdown_signal) {
            replaced.action.store(old, Ordering::SeqCst);
        }
    }
}

/// Restores the actions that SIGTERM and SIGUSR1 had before [`install`], unless the program has set
/// another handler since. The handler for SIGPIPE stays: programs continue to write.
pub fn uninstall() {
    for replaced in &REPLACED_ACTIONS {
        if action_of(replaced.signal) == Some(address(on_shutdown_signal)) {
            set_action(replaced.signal, replaced.action.load(Ordering::SeqCst), 0);
        }
    }
}

/// Withdraws an announced accept that the process's only thread, which is the caller, has left by
/// siglongjmp.
#[cold]
pub fn forget_abandoned_accept() {
    let fd = ACCEPTING.load(Ordering::Relaxed);
    if fd >= 0 && threads::only_one() {
        drop(Accepting { fd });
    }
}

/// Returns whether a thread is blocked in accept4 or about to be.
pub fn is_accepting() -> bool {
    forget_abandoned_accept();
    ACCEPTING.load(Ordering::SeqCst) >= 0
}
