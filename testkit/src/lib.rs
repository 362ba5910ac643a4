//! What the tests and benchmarks share: the built library and the original, processes with time
//! limits, the web server's side of the protocol, and programs that talk to it.

mod app;
mod library;
mod process;
pub mod toolchain;
pub mod web;
pub mod wire;
mod worker;

pub use app::App;
pub use library::{
    Library, compile, compile_with, disassembled, disassembly, dist, helper, root, scratch,
};
pub use process::{Ended, Running, TempDir, install, need, run, until};
pub use worker::{Listen, Worker, children_of, is_at, signal, state, until_asleep, until_in};

use std::time::Duration;

/// The longest that a test waits for one event.
pub const PATIENCE: Duration = Duration::from_secs(10);
