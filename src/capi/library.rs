//! The library as a whole: initialised or not, and the one request of programs that use only one.

use std::cell::UnsafeCell;
use std::sync::Once;

use super::fcgiapp::{FCGX_InitRequest, FCGX_Request};
use super::request;
use crate::os::signal;
use crate::serve::{config, listeners};

/// The request behind FCGX_Accept and FCGX_Finish.
struct TheRequest(UnsafeCell<FCGX_Request>);

// SAFETY: the place is only handed out as a raw pointer; FCGX_Accept and FCGX_Finish are
// documented for one thread at a time.
unsafe impl Sync for TheRequest {}

static THE_REQUEST: TheRequest = TheRequest(UnsafeCell::new(super::request::NO_REQUEST));

/// The request behind FCGX_Accept and FCGX_Finish.
pub fn the_request() -> *mut FCGX_Request {
    THE_REQUEST.0.get()
}

static INITIALISED: Once = Once::new();

/// Initialises the library: signal handlers, settings. Any number of times, from any thread.
pub fn initialise() {
    INITIALISED.call_once(|| {
        signal::install();
        config::get();
        // SAFETY: the place lives as long as the process; nobody uses it before it is initialised.
        unsafe { FCGX_InitRequest(the_request(), 0, 0) };
    });
}

/// Whether [`initialise`] was called.
pub fn is_initialised() -> bool {
    INITIALISED.is_completed()
}

/// Gives back what the library holds for later: parked connections and memory. It goes on working.
pub fn shut_down() {
    listeners::shut_down();
    request::clear_store();
}
