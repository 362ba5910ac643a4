//! The library's serve and protocol, the real code, in a world of its own: against a simulated kernel
//! and clock, under schedules that Shuttle chooses.
//!
//!     cargo test --test simulation                       all cases
//!     cargo test --test simulation NAME                  those whose name has NAME in it
//!     cargo test --test simulation -- NAME SEED [COUNT]  with other schedules; how a failure is repeated

// Everything in this crate may use what is pub.
#![allow(unreachable_pub)]

mod cases;
mod client;
mod kernel;
mod os;
mod program;
#[allow(dead_code, unused_imports, unreachable_pub, clippy::all)]
#[path = "../../src/protocol/mod.rs"]
mod protocol;
#[allow(dead_code, unused_imports, unreachable_pub, clippy::all)]
#[path = "../../src/serve/mod.rs"]
mod serve;
mod world;

use std::process::ExitCode;
use std::time::Instant;

use world::{Schedules, explore, once};

/// The schedules to be tried of a world.
#[derive(Clone, Copy)]
pub enum Try {
    /// One schedule: the case has no random choice.
    Once,
    /// The given number of seeds, each of which makes some schedules.
    Seeds(u64),
}

/// A case: its name, the schedules to be tried, and the world.
pub type Case = (&'static str, Try, fn());

fn run(case: &Case, asked: Option<Schedules>) -> Result<(), u64> {
    match case.1 {
        Try::Once => once(case.2),
        Try::Seeds(count) => explore(asked.unwrap_or(Schedules { from: 0, count }), case.2),
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let filter = arguments.first().map_or("", String::as_str);
    let number = |at: usize| arguments.get(at).map(|text| text.parse().expect("a number"));
    let asked = number(1).map(|from| Schedules { from, count: number(2).unwrap_or(1) });
    let (mut passed, mut failed) = (0, 0);
    for case in cases::all().iter().filter(|case| case.0.contains(filter)) {
        let begin = Instant::now();
        match run(case, asked) {
            Ok(()) => {
                passed += 1;
                println!("test {} ... ok ({:.1} s)", case.0, begin.elapsed().as_secs_f32());
            }
            Err(seed) => {
                failed += 1;
                println!("test {} ... FAILED", case.0);
                println!("again: cargo test --test simulation -- {} {seed}", case.0);
            }
        }
    }
    let result = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {result}. {passed} passed; {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
