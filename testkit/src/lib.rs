//! Shared code of the tests and benchmarks: the built library and the original, processes with time
//! limits, the web server's side of the protocol, and programs that talk to it.

mod app;
mod library;
mod numbers;
mod original;
mod process;
pub mod slow;
pub mod toolchain;
pub mod turns;
pub mod web;
pub mod wire;
mod worker;

pub use app::App;
pub use library::{
    Library, compile, compile_with, disassembled, disassembly, disassembly_for_rust, dist, helper,
    mapped, need_original, programs_in, root, scratch,
};
pub use numbers::Numbers;
pub use original::{has_original, store, stored};
pub use process::{Ended, Running, TempDir, allow_descriptors, install, need, run, until};
pub use worker::{
    Listen, Worker, children_of, is_at, processor_time, signal, state, until_asleep, until_in,
};

use std::time::{Duration, Instant};

/// The longest time that a test waits for one event.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The longest time that a whole program may run: a compiler, an installation, or a server that starts
/// or ends. It is much longer than any takes, also under valgrind or with the original's timeouts.
pub const LIMIT: Duration = Duration::from_secs(120);

/// The longest time that a request, or a program that serves some, may take. It is shorter than the minute after
/// which the library and web servers close what is silent: a request that hangs until then fails its test.
pub const SERVED: Duration = Duration::from_secs(40);

/// Runs a step of a long test and prints how long it took.
pub fn timed(what: &str, step: impl FnOnce()) {
    let start = Instant::now();
    step();
    println!("  {what}: {} ms", start.elapsed().as_millis());
}

/// Returns which of these words, or sequences of words, are in a text.
pub fn words_in<'a>(text: &str, wanted: &[&'a str]) -> Vec<&'a str> {
    let text = text.to_lowercase();
    let words = text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    let text = format!(" {} ", words.collect::<Vec<_>>().join(" "));
    wanted.iter().copied().filter(|words| text.contains(&format!(" {words} "))).collect()
}
