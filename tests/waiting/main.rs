//! Waiting: no client waits behind an idle, silent or slow one, in a process with one thread too.

mod accept;
mod calls;
mod changes;
mod closing;
mod forks;
mod given_back;
mod heads;
mod holding;
mod idle;
mod leaving;
mod limits;
mod numbers;
mod processes;
mod quiet;
mod sharing;
mod shortage;

use std::time::{Duration, Instant};

use testkit::wire::{Connection, request, text};
use testkit::{Worker, until_asleep};

/// No client may wait longer, whatever the others do.
const AT_MOST: Duration = Duration::from_secs(1);

/// How long the original is watched doing nothing.
const IN_VAIN: Duration = Duration::from_millis(500);

/// A request whose answer is its body.
fn echo(id: u16, keep: bool, body: &str) -> Vec<u8> {
    request(id, keep, &[], body.as_bytes())
}

/// Waits for the end of a request; the output. It must come in time.
fn output(connection: &mut Connection, id: u16, since: Instant) -> String {
    let records = connection.until_end_of(id);
    let waited = since.elapsed();
    assert!(waited < AT_MOST, "answered after {waited:?}");
    text(&records)
}

/// One request on a connection of its own.
fn answered(mut connection: Connection, body: &str) {
    let start = Instant::now();
    connection.send(&echo(1, false, body));
    assert_eq!(output(&mut connection, 1, start), body);
}

/// Whether a request on a connection of its own gets any answer within the limit.
fn is_answered_within(mut connection: Connection, limit: Duration) -> bool {
    !connection.send(&echo(1, false, "body")).within(limit).is_empty()
}

/// Whether a program with one thread leaves a request on a connection of its own alone: it sleeps on,
/// and says nothing for a while.
fn waits_in_vain(worker: &Worker, mut connection: Connection) -> bool {
    connection.send(&echo(1, false, "body"));
    until_asleep(worker.running.pid());
    connection.is_silent(IN_VAIN)
}
