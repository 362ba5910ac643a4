//! The LIBFCGI_* limits of those who wait: each closes the one connection and no other. The original
//! has none of them but the first byte on unix sockets (see idle.rs).

use std::time::{Duration, Instant};

use super::support::wire::{Connection, get_values, request};
use super::support::{Library, Listen, PATIENCE, Worker, until};
use super::{AT_MOST, answered, echo, output};

/// The limit in these tests, in milliseconds.
const LIMIT: u64 = 300;

/// One thread, and eight.
const THREADS: [&[&str]; 2] = [&[], &["-t", "8"]];

fn limited(setting: &str, listen: Listen, options: &[&str]) -> Worker {
    Worker::start_in(&["env", setting], Library::Ours, listen, options)
}

/// The connection ends by itself, at the limit.
fn closed_in_time(connection: &mut Connection, since: Instant) {
    assert_eq!(connection.until_closed(), []);
    let waited = since.elapsed();
    let limit = Duration::from_millis(LIMIT);
    assert!(waited >= limit && waited < limit + AT_MOST, "closed after {waited:?}");
}

#[test]
fn the_first_byte_over_tcp() {
    let setting = format!("LIBFCGI_FIRST_BYTE_TIMEOUT={LIMIT}");
    for options in THREADS {
        let worker = limited(&setting, Listen::Tcp, options);
        let start = Instant::now();
        let (mut silent, mut half) = (worker.connect(), worker.connect());
        half.send(&echo(1, false, "half")[..1]);
        closed_in_time(&mut silent, start);
        half.send(&echo(1, false, "half")[1..]);
        assert_eq!(output(&mut half, 1, Instant::now()), "half");
    }
}

#[test]
fn no_limit_for_the_first_byte() {
    let worker = limited("LIBFCGI_FIRST_BYTE_TIMEOUT=0", Listen::Tcp, &[]);
    let mut silent = worker.connect();
    assert!(silent.is_silent(AT_MOST));
    silent.send(&echo(1, false, "late"));
    assert_eq!(output(&mut silent, 1, Instant::now()), "late");
}

/// A question of the management kind is not silence: the connection waits as an idle one does.
#[test]
fn after_get_values_a_connection_may_wait() {
    let setting = format!("LIBFCGI_FIRST_BYTE_TIMEOUT={LIMIT}");
    let worker = limited(&setting, Listen::Tcp, &[]);
    let mut asking = worker.connect();
    asking.send(&get_values(&["FCGI_MAX_CONNS"]));
    asking.until_record(|_| true);
    assert!(asking.is_silent(AT_MOST));
    asking.send(&echo(1, false, "late"));
    assert_eq!(output(&mut asking, 1, Instant::now()), "late");
}

#[test]
fn a_whole_head() {
    let setting = format!("LIBFCGI_HEAD_TIMEOUT={LIMIT}");
    let head = request(1, true, &[("NAME", "value")], b"");
    for options in THREADS {
        for listen in [Listen::Unix, Listen::Tcp] {
            let worker = limited(&setting, listen, options);
            let mut new = worker.connect();
            let start = Instant::now();
            new.send(&head[..30]);
            closed_in_time(&mut new, start);
            // On a kept connection, and behind a request that is served.
            let mut kept = worker.connect();
            kept.send(&echo(1, true, "first"));
            assert_eq!(output(&mut kept, 1, Instant::now()), "first");
            let start = Instant::now();
            kept.send(&head[..30]);
            closed_in_time(&mut kept, start);
            let mut behind = worker.connect();
            let start = Instant::now();
            behind.send(&[&echo(1, true, "first"), &head[..30]].concat());
            assert_eq!(output(&mut behind, 1, start), "first");
            closed_in_time(&mut behind, start);
            answered(worker.connect(), "another");
        }
    }
}

/// The time is that of the whole head: sending on does not start it again.
#[test]
fn a_head_byte_by_byte() {
    let worker = limited(&format!("LIBFCGI_HEAD_TIMEOUT={LIMIT}"), Listen::Unix, &[]);
    let head = request(1, true, &[("NAME", &"value".repeat(1000))], b"");
    let mut slow = worker.connect();
    let start = Instant::now();
    for byte in &head {
        slow.send(&[*byte]);
        if slow.has_ended() {
            break;
        }
    }
    let waited = start.elapsed();
    assert!(slow.closed && waited < AT_MOST, "closed: {}, after {waited:?}", slow.closed);
}

#[test]
fn connections_without_a_request() {
    for options in THREADS {
        let worker = limited("LIBFCGI_MAX_WAITING=4", Listen::Unix, options);
        let keep = |_| {
            let mut kept = worker.connect();
            kept.send(&echo(1, true, "kept"));
            assert_eq!(output(&mut kept, 1, Instant::now()), "kept");
            kept
        };
        let mut waiting: Vec<Connection> = (0..7).map(keep).collect();
        // Those that have waited longest have to go. With several threads that need not be the first.
        let mut gone = until("three to be closed", PATIENCE, || {
            let gone: Vec<bool> = waiting.iter_mut().map(Connection::has_ended).collect();
            (gone.iter().filter(|gone| **gone).count() >= 3).then_some(gone)
        });
        if options.is_empty() {
            assert_eq!(gone, [true, true, true, false, false, false, false]);
        }
        gone.reverse();
        for mut kept in waiting {
            if gone.pop() == Some(false) {
                kept.send(&echo(1, true, "again"));
                assert_eq!(output(&mut kept, 1, Instant::now()), "again");
            }
        }
        answered(worker.connect(), "another");
    }
}
