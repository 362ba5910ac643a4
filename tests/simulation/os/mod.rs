//! What [`crate::serve`] reaches the kernel and the clock through, on the simulated [`crate::kernel`]:
//! the names and signatures of src/os. What computes only is src/os's own.

// Without their tests.
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
