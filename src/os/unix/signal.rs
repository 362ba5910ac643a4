//! Signals, and the wish to shut down that they carry to every waiting thread.
//!
//! [`request_shutdown`] is called from signal handlers: it sets a flag, writes the wake-up
//! descriptor that pooled waits watch, and sets the listen socket aside that a single thread is about
//! to block on: for as long, accept4 on its number fails. This catches the signal that comes just
//! before accept4, and the accept4 that the kernel restarts under SA_RESTART. O_NONBLOCK would, too,
//! but belongs to the open file: siblings that shut down together would take it from each other.

use std::io;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use super::descriptor::{close, file_number};
use super::{mark, threads, wake_up};

/// The wish to shut down.
static SHUTDOWN: AtomicU8 = AtomicU8::new(NOT_REQUESTED);
const NOT_REQUESTED: u8 = 0;
const REQUESTED: u8 = 1;
/// The library has been shut down since: the wish holds until it begins anew.
const DONE: u8 = 2;
/// How many times the wish was forgotten.
static RESTARTS: AtomicUsize = AtomicUsize::new(0);
static ACCEPTING: AtomicI32 = AtomicI32::new(-1);
/// The file that had that number when its listener was made: a thread may leave by siglongjmp, and the
/// number come to mean something else.
static ACCEPTING_FILE: AtomicU32 = AtomicU32::new(0);

/// The listen socket, while something else stands at its number; `BUSY` while that is being arranged.
static SAVED_LISTENER: AtomicI32 = AtomicI32::new(-1);
const BUSY: RawFd = -2;
/// The descriptor flags of that number, and the file that stands there.
static SAVED_FLAGS: AtomicI32 = AtomicI32::new(0);
static PLACEHOLDER_FILE: AtomicU32 = AtomicU32::new(0);

/// Asks every thread that waits for a request, now or later, to stop waiting. Async-signal-safe;
/// errno is left alone.
pub fn request_shutdown() {
    // SAFETY: errno's place is the thread's own and always there.
    let errno = unsafe { *libc::__errno_location() };
    SHUTDOWN.store(REQUESTED, Ordering::SeqCst);
    wake_up::write();
    let fd = ACCEPTING.load(Ordering::SeqCst);
    if fd >= 0 && !replace_listener(fd) {
        // For good: siblings may come to rely on it.
        let _ = mark::make_nonblocking(fd);
    }
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

/// Puts something else at a listen socket's number, in this process alone. False with other threads,
/// which may be using the number, where it stands for something else, and without descriptors.
fn replace_listener(fd: RawFd) -> bool {
    if !threads::only_one() || file_number(fd) != ACCEPTING_FILE.load(Ordering::SeqCst) {
        return false;
    }
    if SAVED_LISTENER.compare_exchange(-1, BUSY, Ordering::SeqCst, Ordering::SeqCst).is_err() {
        // An earlier signal has done it, or is doing it.
        return true;
    }
    // SAFETY: these calls take numbers, and are async-signal-safe.
    let (flags, saved, placeholder) = unsafe {
        let flags = libc::fcntl(fd, libc::F_GETFD);
        let saved = libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3);
        // Not an eventfd: those are all the same file.
        let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
        (flags, saved, libc::socket(libc::AF_UNIX, kind, 0))
    };
    // SAFETY: as above.
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

/// Puts the listen socket back, unless the program has closed its number meanwhile.
#[cold]
fn restore_listener(fd: RawFd) {
    let saved = SAVED_LISTENER.swap(-1, Ordering::SeqCst);
    if saved < 0 {
        return;
    }
    if file_number(fd) == PLACEHOLDER_FILE.load(Ordering::SeqCst) {
        let keeps = SAVED_FLAGS.load(Ordering::SeqCst) & libc::FD_CLOEXEC == 0;
        // SAFETY: takes numbers.
        unsafe { libc::dup3(saved, fd, if keeps { 0 } else { libc::O_CLOEXEC }) };
    }
    close(saved);
}

/// Whether shutting down was asked for.
pub fn shutdown_requested() -> bool {
    SHUTDOWN.load(Ordering::SeqCst) != NOT_REQUESTED
}

/// Notes that the library has been shut down, for [`restart`]. A wish that comes later is a new one.
pub fn shutdown_is_done() {
    let _ = SHUTDOWN.compare_exchange(REQUESTED, DONE, Ordering::SeqCst, Ordering::SeqCst);
}

/// Forgets the wish to shut down if it was there at [`shutdown_is_done`].
pub fn restart() {
    if SHUTDOWN.compare_exchange(DONE, NOT_REQUESTED, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
        RESTARTS.fetch_add(1, Ordering::SeqCst);
        // What watches the descriptor goes on watching it.
        wake_up::read();
        if shutdown_requested() {
            wake_up::write();
        }
    }
}

/// Tells the times apart between which a wish to shut down was forgotten.
pub fn restarts() -> usize {
    RESTARTS.load(Ordering::SeqCst)
}

/// How long a wait may be that watches a wake-up which was not checked. Those that begin after the check
/// may be longer: a wait does not lose what it watches already, and the loss of the other end wakes it.
pub const MAX_UNCHECKED_WAIT: Duration = Duration::from_secs(1);

/// Returns the descriptor that becomes readable, until [`restart`], when shutting down is asked for.
/// Made at the first call. Every process has its own. The program may have put something else at its
/// number: see [`check_wake_up`].
pub fn wake_up_descriptor() -> io::Result<RawFd> {
    wake_up::descriptor(check_wake_up)
}

/// Returns the same, and makes it anew if the program has closed it or uses its number: whatever
/// watches the earlier one does not hear of the wish to shut down.
pub fn check_wake_up() -> io::Result<RawFd> {
    let fd = wake_up::ensure()?;
    // The signal may have come before there was anything to write to.
    if shutdown_requested() {
        wake_up::write();
    }
    Ok(fd)
}

/// Returns the same if there is one, and the program has not put something else at its number.
pub fn existing_wake_up() -> Option<RawFd> {
    wake_up::existing()
}

/// Takes note that the wake-up descriptor is readable although nothing was asked for: a process that
/// got a copy unnoticed, by a raw fork, has written to it, or the program has closed its other end.
pub fn ignore_wake_up() {
    wake_up::read();
    // Without descriptors for another one, whoever waits looks now and then.
    let _ = check_wake_up();
}

/// While it lives, [`request_shutdown`] sets the listen socket aside, so that an accept4 that has not
/// begun, or is restarted, comes back. For a process with one thread; whether it has one was asked
/// before ([`threads::only_one`]), because the first time is not for a signal handler.
#[derive(Debug)]
pub struct Accepting {
    fd: RawFd,
}

impl Accepting {
    /// Announces that this thread is going to block in accept4 on `fd`, which is this file.
    pub fn on(fd: RawFd, file: u32) -> Self {
        ACCEPTING_FILE.store(file, Ordering::Relaxed);
        ACCEPTING.store(fd, Ordering::SeqCst);
        Self { fd }
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        ACCEPTING.store(-1, Ordering::SeqCst);
        // Only this thread's signal handlers change it.
        if SAVED_LISTENER.load(Ordering::Relaxed) != -1 {
            restore_listener(self.fd);
        }
    }
}

extern "C" fn on_shutdown_signal(_: libc::c_int) {
    request_shutdown();
}

/// A handler rather than SIG_IGN: programs that the application executes get the default back.
extern "C" fn on_broken_pipe(_: libc::c_int) {}

/// What `signal` did before [`install`]: SIG_DFL or SIG_IGN, all that a handler of ours replaces.
struct ReplacedAction {
    signal: libc::c_int,
    action: AtomicUsize,
}

/// The signals that ask for shutting down.
static REPLACED_ACTIONS: [ReplacedAction; 2] = [
    ReplacedAction { signal: libc::SIGUSR1, action: AtomicUsize::new(libc::SIG_DFL) },
    ReplacedAction { signal: libc::SIGTERM, action: AtomicUsize::new(libc::SIG_DFL) },
];

/// What is done about a signal now: SIG_DFL, SIG_IGN or a handler.
fn action_of(signal: libc::c_int) -> Option<libc::sighandler_t> {
    full_action_of(signal).map(|action| action.sa_sigaction)
}

/// The same, with its flags.
fn full_action_of(signal: libc::c_int) -> Option<libc::sigaction> {
    // SAFETY: sigaction is plain data, for which zero is a value.
    let mut old: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: reads the present action into a place that lives on.
    let result = unsafe { libc::sigaction(signal, ptr::null(), &raw mut old) };
    (result == 0).then_some(old)
}

/// Whether the signal that has interrupted poll(2) would have interrupted accept(2): not where every
/// handler of the program's is one after which the kernel restarts accept (SA_RESTART). With handlers of
/// both kinds there is no telling which one has run.
pub fn would_interrupt_accept() -> bool {
    let ours = [address(on_shutdown_signal), address(on_broken_pipe)];
    let mut flags = (1..=libc::SIGRTMAX()).filter_map(|signal| {
        let found = full_action_of(signal)?;
        let is_handler = ![libc::SIG_DFL, libc::SIG_IGN].contains(&found.sa_sigaction);
        (is_handler && !ours.contains(&found.sa_sigaction)).then_some(found.sa_flags)
    });
    // A handler may be one that is taken away when it runs.
    flags.next().is_none_or(|first| {
        std::iter::once(first).chain(flags).any(|flags| flags & libc::SA_RESTART == 0)
    })
}

/// Sets what is done about a signal.
fn set_action(signal: libc::c_int, action: libc::sighandler_t, flags: libc::c_int) {
    // SAFETY: as above.
    let mut new: libc::sigaction = unsafe { std::mem::zeroed() };
    new.sa_sigaction = action;
    new.sa_flags = flags;
    // SAFETY: SIG_DFL, SIG_IGN or one of the handlers above, which are async-signal-safe. They live as
    // long as the process: libfcgi.so is linked with nodelete.
    unsafe {
        libc::sigemptyset(&raw mut new.sa_mask);
        libc::sigaction(signal, &raw const new, ptr::null_mut());
    }
}

fn address(handler: extern "C" fn(libc::c_int)) -> libc::sighandler_t {
    handler as *const () as usize
}

/// Installs a handler where the program has none. Returns what it replaces.
///
/// It runs on the stack that its thread has for signals, if any: a program in another language may
/// leave it no other.
fn install_one(
    signal: libc::c_int,
    handler: extern "C" fn(libc::c_int),
) -> Option<libc::sighandler_t> {
    let old = action_of(signal).filter(|old| [libc::SIG_DFL, libc::SIG_IGN].contains(old))?;
    set_action(signal, address(handler), libc::SA_ONSTACK);
    Some(old)
}

/// Makes broken pipes an error of the write alone, here but not in programs that are executed.
pub fn outlive_broken_pipes() {
    let _ = install_one(libc::SIGPIPE, on_broken_pipe);
}

/// Installs handlers for SIGTERM and SIGUSR1 (shut down in order) and SIGPIPE (nothing: writing
/// reports the error), each only where the program has left the default or ignores the signal. No
/// SA_RESTART: a signal interrupts a program's own waits.
pub fn install() {
    outlive_broken_pipes();
    for replaced in &REPLACED_ACTIONS {
        if let Some(old) = install_one(replaced.signal, on_shutdown_signal) {
            replaced.action.store(old, Ordering::SeqCst);
        }
    }
}

/// Lets SIGTERM and SIGUSR1 do again what they did before [`install`], unless the program has set
/// another handler since. The one for SIGPIPE stays: programs go on writing.
pub fn uninstall() {
    for replaced in &REPLACED_ACTIONS {
        if action_of(replaced.signal) == Some(address(on_shutdown_signal)) {
            set_action(replaced.signal, replaced.action.load(Ordering::SeqCst), 0);
        }
    }
}

/// Takes back what the process's only thread has announced and left by siglongjmp: it is here now.
#[cold]
pub fn forget_abandoned_accept() {
    let fd = ACCEPTING.load(Ordering::Relaxed);
    if fd >= 0 && threads::only_one() {
        drop(Accepting { fd });
    }
}

/// Whether a thread is about to block in accept4, or does.
pub fn is_accepting() -> bool {
    forget_abandoned_accept();
    ACCEPTING.load(Ordering::SeqCst) >= 0
}
