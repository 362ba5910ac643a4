//! The library's state in this process: initialised, with the settings read, shut down.

use std::sync::atomic::{AtomicU8, Ordering};

use super::{config, registry};
use crate::os::fork::PerProcess;
use crate::os::lock::Lock;
use crate::os::shutdown;
use crate::os::signal;

/// What has happened to the library so far, as bits.
static STATE: AtomicU8 = AtomicU8::new(0);
/// [`initialise`] was called.
const INITIALISED: u8 = 1;
/// [`shut_down`] was called, and neither [`initialise`] nor [`install`] since.
const SHUT_DOWN: u8 = 2;
/// The program went on waiting for requests after [`shut_down`], and the handlers are installed again.
const RESUMED: u8 = 4;
/// The settings were read, and [`shut_down`] was not called since.
const READ: u8 = 8;
/// The usual state: initialised, with the settings read.
const READY: u8 = INITIALISED | READ;

/// Serialises changes of [`STATE`].
static TURN: PerProcess<Lock<()>> = PerProcess::new(Lock::new(()));

/// Locks [`TURN`]. Returns `None` in a forked child that is out of memory: it goes on without, since it
/// hardly has other threads yet.
fn turn() -> Option<impl Sized> {
    TURN.get().map(Lock::lock)
}

fn state() -> u8 {
    STATE.load(Ordering::Acquire)
}

/// Installs the signal handlers and reads the settings. Any thread may call it, any number of times;
/// only the first call and the first one after [`shut_down`] have an effect.
pub(crate) fn initialise() {
    if state() == READY {
        return;
    }
    let _turn = turn();
    if state() == READY {
        return;
    }
    begin();
    STATE.store(READY, Ordering::Release);
}

/// Installs the signal handlers, in every call, and reads the settings unless they have been read since
/// [`shut_down`]: for programs that use fcgios.h only.
pub(crate) fn install() {
    let _turn = turn();
    begin();
    STATE.store(state() & INITIALISED | READ, Ordering::Release);
}

/// Makes SIGINT, SIGTERM and SIGUSR1 request shutdown, whatever the program or its runtime has set.
pub(crate) fn take_signals() {
    let _turn = turn();
    signal::take();
}

fn begin() {
    let state = state();
    signal::install();
    if state & SHUT_DOWN != 0 {
        shutdown::restart();
    }
    if state & READ == 0 {
        config::read();
    }
}

/// Returns whether [`initialise`] was ever called.
pub(crate) fn is_initialised() -> bool {
    state() & INITIALISED != 0
}

/// Prepares a wait for a request: installs the signal handlers again if the program goes on after
/// [`shut_down`] without initialising anew. Returns whether [`initialise`] was ever called.
pub(crate) fn go_on() -> bool {
    state() == READY || resume()
}

#[cold]
fn resume() -> bool {
    if state() & (SHUT_DOWN | RESUMED) == SHUT_DOWN {
        let _turn = turn();
        // After a request to shut down, a thread that arrives late has no use for the handlers.
        if state() & SHUT_DOWN != 0 && !shutdown::is_requested() {
            signal::install();
            STATE.fetch_or(RESUMED, Ordering::Release);
        }
    }
    is_initialised()
}

/// Closes parked connections and frees spare memory, also that which `clear` frees. Restores SIGTERM and
/// SIGUSR1 unless a thread waits for a request or has one: what `is_any_in_progress` says of those that have
/// one. The library remains usable.
pub(crate) fn shut_down(clear: fn(), is_any_in_progress: fn() -> bool) {
    let _turn = turn();
    STATE.store(state() & INITIALISED | SHUT_DOWN, Ordering::Release);
    let is_waited_on = registry::shut_down();
    clear();
    shutdown::note_done();
    if !is_waited_on && !shutdown::is_accepting() && !is_any_in_progress() {
        signal::uninstall();
    }
}
