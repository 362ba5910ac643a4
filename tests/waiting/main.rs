//! Waiting: no client waits behind an idle, silent or slow one, even in a process with one thread.

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
mod slow;

use std::time::{Duration, Instant};

use testkit::wire::{Connection, request, text};
use testkit::{Worker, until_asleep};

/// The longest that a client may wait, whatever the others do.
const AT_MOST: Duration = Duration::from_secs(1);

/// The time for which the tests check that the original does nothing.
const IN_VAIN: Duration = Duration::from_millis(500);

/// Returns a request whose response is its body.
fn echo(id: u16, keep: bool, body: &str) -> Vec<u8> {
    request(id, keep, &[], body.as_bytes())
}

/// Waits for the end of a request, which must come in time, and returns the output.
fn output(connection: &mut Connection, id: u16, since: Instant) -> String {
    let records = connection.until_end_of(id);
    let waited = since.elapsed();
    assert!(waited < AT_MOST, "answered after {waited:?}");
    text(&records)
}

/// Sends one request on a connection of its own, and checks the response.
fn answered(mut connection: Connection, body: &str) {
    let start = Instant::now();
    connection.send(&echo(1, false, body));
    assert_eq!(output(&mut connection, 1, start), body);
}

/// Returns whether a request on a connection of its own gets any response within the limit.
fn is_answered_within(mut connection: Connection, limit: Duration) -> bool {
    !connection.send(&echo(1, false, "body")).within(limit).is_empty()
}

/// Returns whether a program with one thread ignores a request on a connection of its own: it stays
/// asleep and sends nothing for a while.
fn waits_in_vain(worker: &Worker, mut connection: Connection) -> bool {
    connection.send(&echo(1, false, "body"));
    until_asleep(worker.running.pid());
    connection.is_silent(IN_VAIN)
}
