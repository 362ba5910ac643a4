//! What the integration tests share: the built library and the original, processes with time
//! limits, and the web server's side of the protocol.

// Every test program uses its own part of this.
#![allow(dead_code, unused_imports)]

mod app;
mod library;
mod process;
pub(crate) mod wire;
mod worker;

pub(crate) use app::App;
pub(crate) use library::{
    Library, compile, compile_with, disassembled, disassembly, dist, helper, root,
};
pub(crate) use process::{Ended, Running, TempDir, install, need, run, until};
pub(crate) use worker::{
    Listen, Worker, children_of, is_at, signal, state, until_asleep, until_in,
};

use std::time::Duration;

/// The longest that a test waits for one event.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
