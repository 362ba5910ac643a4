//! Signal handlers: those that request shutdown, and that of a broken pipe.

use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::shutdown;

extern "C" fn on_shutdown_signal(_: libc::c_int) {
    shutdown::request();
}

/// A handler instead of SIG_IGN, because executed programs inherit SIG_IGN, but not a handler.
extern "C" fn on_broken_pipe(_: libc::c_int) {}

/// The action of `signal` before [`install`] or [`take`]: SIG_DFL or SIG_IGN. Instead of a handler it is
/// SIG_DFL.
struct ReplacedAction {
    signal: libc::c_int,
    action: AtomicUsize,
}

/// The signals that request shutdown: the first [`USUAL`] in every program.
static REPLACED_ACTIONS: [ReplacedAction; 3] = [
    ReplacedAction { signal: libc::SIGUSR1, action: AtomicUsize::new(libc::SIG_DFL) },
    ReplacedAction { signal: libc::SIGTERM, action: AtomicUsize::new(libc::SIG_DFL) },
    ReplacedAction { signal: libc::SIGINT, action: AtomicUsize::new(libc::SIG_DFL) },
];
const USUAL: usize = 2;

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
pub(crate) fn would_interrupt_accept() -> bool {
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
pub(crate) fn install() {
    outlive_broken_pipes();
    for replaced in REPLACED_ACTIONS.iter().take(USUAL) {
        if let Some(old) = install_one(replaced.signal, on_shutdown_signal) {
            replaced.action.store(old, Ordering::SeqCst);
        }
    }
}

/// Installs the handler that requests shutdown for SIGINT, SIGTERM and SIGUSR1, in place of whatever the
/// program or its runtime has set.
pub(crate) fn take() {
    for replaced in &REPLACED_ACTIONS {
        let old = action_of(replaced.signal).filter(|old| *old != address(on_shutdown_signal));
        if let Some(old) = old {
            let is_handler = ![libc::SIG_DFL, libc::SIG_IGN].contains(&old);
            replaced.action.store(if is_handler { libc::SIG_DFL } else { old }, Ordering::SeqCst);
            set_action(replaced.signal, address(on_shutdown_signal), libc::SA_ONSTACK);
        }
    }
}

/// Restores the actions that these signals had before [`install`] or [`take`], unless the program has set
/// another handler since. The handler for SIGPIPE stays: programs continue to write.
pub(crate) fn uninstall() {
    for replaced in &REPLACED_ACTIONS {
        if action_of(replaced.signal) == Some(address(on_shutdown_signal)) {
            set_action(replaced.signal, replaced.action.load(Ordering::SeqCst), 0);
        }
    }
}
