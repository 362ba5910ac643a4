//! The library's state in this process, and the request of FCGX_Accept and FCGX_Finish.

use std::cell::UnsafeCell;
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicU8, Ordering};

use super::block;
use super::layout::{FCGX_Request, NO_REQUEST};
use crate::os::fork::PerProcess;
use crate::os::lock::Lock;
use crate::os::shutdown;
use crate::os::signal;
use crate::serve::{config, registry};

/// The request of FCGX_Accept and FCGX_Finish.
struct TheRequest(UnsafeCell<FCGX_Request>);

// SAFETY: the request is only handed out as a raw pointer; the caller keeps FCGX_Accept and
// FCGX_Finish to one thread at a time, as their documentation requires.
unsafe impl Sync for TheRequest {}

static THE_REQUEST: TheRequest =
    TheRequest(UnsafeCell::new(FCGX_Request { listen_sock: 0, ..NO_REQUEST }));

/// Returns the request of FCGX_Accept and FCGX_Finish.
pub(super) fn the_request() -> *mut FCGX_Request {
    THE_REQUEST.0.get()
}

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
fn turn() -> Option<MutexGuard<'static, ()>> {
    TURN.get().map(Lock::lock)
}

fn state() -> u8 {
    STATE.load(Ordering::Acquire)
}

/// Installs the signal handlers and reads the settings. Any thread may call it, any number of times;
/// only the first call and the first one after [`shut_down`] have an effect.
pub(super) fn initialise() {
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
pub(super) fn install() {
    let _turn = turn();
    begin();
    STATE.store(state() & INITIALISED | READ, Ordering::Release);
}

/// Makes SIGINT, SIGTERM and SIGUSR1 request shutdown, whatever the program or its runtime has set.
pub(super) fn take_signals() {
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
pub(super) fn is_initialised() -> bool {
    state() & INITIALISED != 0
}

/// Prepares a wait for a request: installs the signal handlers again if the program goes on after
/// [`shut_down`] without initialising anew. Returns whether [`initialise`] was ever called.
pub(super) fn go_on() -> bool {
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

/// The C library calls the functions in this section when the process ends by exit(), after those that the
/// program has registered.
#[used]
#[unsafe(link_section = ".fini_array")]
static AT_EXIT: extern "C" fn() = leave;

extern "C" fn leave() {
    registry::leave();
}

/// Closes parked connections and frees spare memory. Restores SIGTERM and SIGUSR1 unless a thread waits
/// for a request or has one. The library remains usable.
pub(super) fn shut_down() {
    let _turn = turn();
    STATE.store(state() & INITIALISED | SHUT_DOWN, Ordering::Release);
    let is_waited_on = registry::shut_down();
    block::clear();
    shutdown::note_done();
    if !is_waited_on && !shutdown::is_accepting() && !block::is_any_in_progress() {
        signal::uninstall();
    }
}
