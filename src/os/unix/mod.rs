//! Unix: one file per subject.
//!
//! * Descriptors: [`descriptor`], [`io`] (their bytes), [`poll`] (waiting for them), [`async_io`]
//!   (actions that wait for them).
//! * Sockets: [`socket`], [`address`] (their names), [`mark`] (who made one non-blocking),
//!   [`inherited`] (those that the process was started with).
//! * Processes: [`spawn`], [`children`], [`environment`], [`fork`], [`signal`] (handlers), [`shutdown`]
//!   (what they request), `wake_up` (what a request writes to), [`threads`].
//! * Used by all of these: [`clock`], [`timer`], [`error`], [`latest`], [`lock`], [`robust_lock`], [`semaphore`],
//!   [`memory`], `syscall`.

pub(crate) mod address;
pub(crate) mod async_io;
pub(crate) mod children;
pub(crate) mod clock;
pub(crate) mod descriptor;
pub(crate) mod environment;
pub(crate) mod error;
pub(crate) mod fork;
pub(crate) mod inherited;
pub(crate) mod io;
pub(crate) mod latest;
pub(crate) mod lock;
pub(crate) mod mark;
pub(crate) mod memory;
pub(crate) mod poll;
pub(crate) mod robust_lock;
pub(crate) mod semaphore;
pub(crate) mod shutdown;
pub(crate) mod signal;
pub(crate) mod socket;
pub(crate) mod spawn;
mod syscall;
pub(crate) mod threads;
pub(crate) mod timer;
mod wake_up;
