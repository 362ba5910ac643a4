//! The interface between [`crate::serve`] and the simulated [`crate::kernel`] and its clock, with the
//! names and signatures of src/os. An item without a comment does what it does there. Modules that only
//! compute are src/os's own.

// These two are used without their tests.
#[allow(dead_code, unused_imports)]
#[path = "../../../src/os/unix/error.rs"]
pub mod error;
#[allow(dead_code, unused_imports)]
#[path = "../../../src/os/unix/memory.rs"]
pub mod memory;

pub mod clock;
pub mod descriptor;
pub mod environment;
pub mod fork;
pub mod io;
pub mod latest;
pub mod lock;
pub mod mark;
pub mod poll;
pub mod robust_lock;
pub mod semaphore;
pub mod shutdown;
pub mod signal;
pub mod socket;
pub mod threads;
pub mod timer;
