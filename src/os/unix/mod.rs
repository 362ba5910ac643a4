//! Unix: one file per subject.
//!
//! * Descriptors: [`descriptor`], [`io`] (their bytes), [`poll`] (waiting for them), [`async_io`]
//!   (actions that wait for them).
//! * Sockets: [`socket`], [`address`] (their names), [`mark`] (who made one non-blocking),
//!   [`inherited`] (those that the process was started with).
//! * Processes: [`spawn`], [`children`], [`environment`], [`fork`], [`signal`] (handlers), [`shutdown`]
//!   (what they request), `wake_up` (what a request writes to), [`threads`].
//! * Used by all of these: [`clock`], [`error`], [`latest`], [`lock`], [`robust_lock`], [`semaphore`],
//!   [`memory`], `syscall`.

pub mod address;
pub mod async_io;
pub mod children;
pub mod clock;
pub mod descriptor;
pub mod environment;
pub mod error;
pub mod fork;
pub mod inherited;
pub mod io;
pub mod latest;
pub mod lock;
pub mod mark;
pub mod memory;
pub mod poll;
pub mod robust_lock;
pub mod semaphore;
pub mod shutdown;
pub mod signal;
pub mod socket;
pub mod spawn;
mod syscall;
pub mod threads;
mod wake_up;
