//! The library as a whole: initialised or not, and the one request of programs that use only one.

use std::cell::UnsafeCell;
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicU8, Ordering};

use super::block;
use super::layout::{FCGX_Request, NO_REQUEST};
use crate::os::fork::PerProcess;
use crate::os::lock::Lock;
use crate::os::signal;
use crate::serve::{config, registry};

/// The request behind FCGX_Accept and FCGX_Finish.
struct TheRequest(UnsafeCell<FCGX_Request>);

// SAFETY: the place is only handed out as a raw pointer; FCGX_Accept and FCGX_Finish are
// documented for one thread at a time.
unsafe impl Sync for TheRequest {}

static THE_REQUEST: TheRequest =
    TheRequest(UnsafeCell::new(FCGX_Request { listen_sock: 0, ..NO_REQUEST }));

/// The request behind FCGX_Accept and FCGX_Finish.
pub fn the_request() -> *mut FCGX_Request {
    THE_REQUEST.0.get()
}

/// What has happened to the library so far: bits.
static STATE: AtomicU8 = AtomicU8::new(0);
/// [`initialise`] was called.
const INITIALISED: u8 = 1;
/// [`shut_down`] was called, and neither [`initialise`] nor [`install`] since.
const SHUT_DOWN: u8 = 2;
/// The program has gone on all the same, and has its signal handlers back.
const RESUMED: u8 = 4;
/// The settings were read, and [`shut_down`] was not called since.
const READ: u8 = 8;
/// What a program does with the library that has begun as its header says.
const READY: u8 = INITIALISED | READ;

/// Changes of [`STATE`] take turns.
static TURN: PerProcess<Lock<()>> = PerProcess::new(Lock::new(()));

/// The caller's turn. `None` in a child without memory, which has few threads yet.
fn turn() -> Option<MutexGuard<'static, ()>> {
    TURN.get().map(Lock::lock)
}

fn state() -> u8 {
    STATE.load(Ordering::Acquire)
}

/// Initialises the library: signal handlers, settings. Any number of times, from any thread. After
/// [`shut_down`] it begins anew.
pub fn initialise() {
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

/// Installs the signal handlers and reads the settings, for programs that do without requests. After
/// [`shut_down`] it begins anew.
pub fn install() {
    let _turn = turn();
    begin();
    STATE.store(state() & INITIALISED | READ, Ordering::Release);
}

fn begin() {
    let state = state();
    signal::install();
    if state & SHUT_DOWN != 0 {
        signal::restart();
    }
    if state & READ == 0 {
        config::read();
    }
}

/// Whether [`initialise`] was ever called.
pub fn is_initialised() -> bool {
    state() & INITIALISED != 0
}

/// Before each wait for a request: a program that goes on after [`shut_down`] without beginning anew
/// gets its signal handlers back. Returns whether [`initialise`] was ever called.
pub fn go_on() -> bool {
    state() == READY || resume()
}

#[cold]
fn resume() -> bool {
    if state() & (SHUT_DOWN | RESUMED) == SHUT_DOWN {
        let _turn = turn();
        // A thread that comes late only learns that it is to stop.
        if state() & SHUT_DOWN != 0 && !signal::shutdown_requested() {
            signal::install();
            STATE.fetch_or(RESUMED, Ordering::Release);
        }
    }
    is_initialised()
}

/// The C library calls what stands in this section when the process ends by exit(), after the program's
/// own functions for that.
#[used]
#[unsafe(link_section = ".fini_array")]
static AT_EXIT: extern "C" fn() = leave;

extern "C" fn leave() {
    registry::leave();
}

/// Gives back what the library holds for later: parked connections and memory; and the signals for
/// shutting down, unless a thread waits for a request or has one. It goes on working.
pub fn shut_down() {
    let _turn = turn();
    STATE.store(state() & INITIALISED | SHUT_DOWN, Ordering::Release);
    let is_waited_on = registry::shut_down();
    block::clear();
    signal::shutdown_is_done();
    if !is_waited_on && !signal::is_accepting() && !block::is_any_in_progress() {
        signal::uninstall();
    }
}
