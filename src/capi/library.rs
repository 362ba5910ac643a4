//! The request of FCGX_Accept and FCGX_Finish, and the library's beginning and end for the C API.

use std::cell::UnsafeCell;

use super::block;
use super::layout::{FCGX_Request, NO_REQUEST};
pub(super) use crate::serve::process::{go_on, initialise, install, is_initialised, take_signals};
use crate::serve::{process, registry};

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

/// The C library calls the functions in this section when the process ends by exit(), after those that the
/// program has registered.
#[used]
#[unsafe(link_section = ".fini_array")]
static AT_EXIT: extern "C" fn() = leave;

extern "C" fn leave() {
    registry::leave();
}

/// Shuts the library down, with the blocks of its requests: see [`process::shut_down`].
pub(super) fn shut_down() {
    process::shut_down(block::clear, block::is_any_in_progress);
}
