//! Waiting: no client waits behind an idle, silent or slow one, in a process with one thread too.

#[path = "waiting/accept.rs"]
mod accept;
#[path = "waiting/calls.rs"]
mod calls;
#[path = "waiting/changes.rs"]
mod changes;
#[path = "waiting/closing.rs"]
mod closing;
#[path = "waiting/forks.rs"]
mod forks;
#[path = "waiting/given_back.rs"]
mod given_back;
#[path = "waiting/heads.rs"]
mod heads;
#[path = "waiting/holding.rs"]
mod holding;
#[path = "waiting/idle.rs"]
mod idle;
#[path = "waiting/leaving.rs"]
mod leaving;
#[path = "waiting/limits.rs"]
mod limits;
#[path = "waiting/numbers.rs"]
mod numbers;
#[path = "waiting/processes.rs"]
mod processes;
#[path = "waiting/quiet.rs"]
mod quiet;
#[path = "waiting/sharing.rs"]
mod sharing;
#[path = "waiting/shortage.rs"]
mod shortage;
mod support;

use std::time::{Duration, Instant};

use fcgi::protocol::RecordType;
use support::wire::{Connection, Record, request};

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

/// What a list of records has as output.
fn text(records: &[Record]) -> String {
    let out = records.iter().filter(|record| record.kind == RecordType::STDOUT);
    String::from_utf8(out.flat_map(|record| record.content.clone()).collect()).unwrap()
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
