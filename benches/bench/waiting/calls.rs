//! Counts the system calls that threads make per request besides serving it, in a short run under strace.
//!
//! strace slows the server down, so counts that depend on which thread is faster are estimates.

use std::fs;
use std::time::{Duration, Instant};

use super::shape::Shape;
use crate::counts::name_of_call;
use crate::cpus::{Cpus, Part};
use crate::crowd::{ask, strangers};
use crate::load::Exchange;
use crate::programs::Programs;
use crate::server::{Contender, Server, Session};
use testkit::TempDir;

/// The time after which all threads have served requests.
const WARM_UP: Duration = Duration::from_millis(100);
const TURN: Duration = Duration::from_millis(200);

/// System calls per request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Calls {
    pub(crate) all: f64,
    pub(crate) waits: f64,
    /// Accepts that found no connection.
    pub(crate) in_vain: f64,
    pub(crate) futex: f64,
}

/// Counts the calls of a shape's server.
pub(crate) fn count(
    programs: &Programs,
    cpus: &Cpus,
    shape: &Shape,
    contender: Contender,
    session: Session,
) -> Calls {
    let dir = TempDir::new();
    let (file, scenario) = (dir.join("strace"), &shape.scenario);
    let out = format!("-o{}", file.display());
    let around = ["strace", "-f", "-qq", "-s0", &out];
    let start = || Server::start_under(&around, programs, scenario, contender, session);
    let server = cpus.on(Part::Server, start);
    let exchange = Exchange::of(scenario);
    let turn = |time| {
        let mut answers = 0;
        let end = Instant::now() + time;
        let run =
            || ask(&server.address, &exchange, strangers(scenario.clients), end, |_| answers += 1);
        cpus.on(Part::Client, run);
        answers
    };
    turn(WARM_UP);
    // On a busy machine strace may not have started yet.
    let begin = fs::read(&file).map_or(0, |text| text.len());
    let answers = turn(TURN);
    drop(server);
    let text = fs::read(&file).unwrap();
    let text = String::from_utf8_lossy(&text[begin..]);
    per_request(&text, answers)
}

fn per_request(text: &str, answers: u32) -> Calls {
    let mut calls = Calls::default();
    for line in text.lines() {
        let begun = name_of_call(line);
        let one = 1.0 / f64::from(answers);
        if let Some(name) = begun {
            calls.all += one;
            match name {
                "epoll_wait" | "epoll_pwait" | "poll" | "ppoll" => calls.waits += one,
                "futex" => calls.futex += one,
                _ => {}
            }
        }
        // A line may be split: "<... accept4 resumed>".
        let is_accept =
            begun.map_or(line.contains("<... accept"), |name| name.starts_with("accept"));
        if is_accept && line.contains(" = -1 EAGAIN") {
            calls.in_vain += one;
        }
    }
    calls
}
