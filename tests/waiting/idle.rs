//! Clients that send nothing, or not all of it yet.

use std::thread;
use std::time::{Duration, Instant};

use super::{AT_MOST, IN_VAIN, answered, echo, is_answered_within, output, waits_in_vain};
use testkit::turns::{alone, beside_others};
use testkit::wire::{Connection, abort, begin_role, request};
use testkit::{Library, Listen, Worker};

use fcgi::internals::protocol::Role;

const CLIENTS: usize = 64;

/// The options for one thread and for eight.
const THREADS: [&[&str]; 2] = [&[], &["-t", "8"]];

fn crowd(worker: &Worker) -> Vec<Connection> {
    (0..CLIENTS).map(|_| worker.kept()).collect()
}

#[test]
fn kept_connections_are_served_all_at_once() {
    let _turn = beside_others();
    for options in THREADS {
        for listen in [Listen::Unix, Listen::Tcp, Listen::Own] {
            let worker = Worker::start(Library::Ours, listen, options);
            let mut connections = crowd(&worker);
            for round in 0..5 {
                let start = Instant::now();
                for (number, connection) in connections.iter_mut().enumerate() {
                    connection.send(&echo(7, true, &format!("{number} in round {round}")));
                }
                for (number, connection) in connections.iter_mut().enumerate() {
                    let body = format!("{number} in round {round}");
                    assert_eq!(output(connection, 7, start), body);
                }
                answered(worker.connect(), "a new one");
            }
        }
    }
}

#[test]
fn any_one_of_many_idle_connections_may_speak() {
    let _turn = beside_others();
    for options in THREADS {
        let worker = Worker::ours(options);
        let mut connections = crowd(&worker);
        for number in (0..CLIENTS).rev().chain([5, 5, 60, 5]) {
            let start = Instant::now();
            connections[number].send(&echo(3, true, "body"));
            assert_eq!(output(&mut connections[number], 3, start), "body");
        }
    }
}

#[test]
fn an_idle_kept_connection_holds_no_thread() {
    let _turn = beside_others();
    let served_behind_one = |library| {
        let worker = Worker::start(library, Listen::Unix, &[]);
        let _idle = worker.kept();
        is_answered_within(worker.connect(), IN_VAIN)
    };
    assert!(served_behind_one(Library::Ours));
    assert!(!served_behind_one(Library::Original), "the original does it right");
}

#[test]
fn an_idle_connection_may_go_at_any_time() {
    let _turn = beside_others();
    for options in THREADS {
        let worker = Worker::ours(options);
        let mut connections = crowd(&worker);
        while let Some(connection) = connections.pop() {
            drop(connection);
            answered(worker.connect(), "a new one");
            if let Some(other) = connections.last_mut() {
                let start = Instant::now();
                other.send(&echo(1, true, "body"));
                assert_eq!(output(other, 1, start), "body");
            }
        }
    }
}

#[test]
fn half_a_head_delays_nobody() {
    let _turn = beside_others();
    for options in THREADS {
        for listen in [Listen::Unix, Listen::Tcp] {
            let worker = Worker::start(Library::Ours, listen, options);
            let bytes = request(1, false, &[("NAME", "value")], b"body");
            let head = bytes.len() - (8 + 4) - 8;
            // One client stops at each byte of the head, all at the same time.
            let mut halves: Vec<Connection> = (0..head).map(|_| worker.connect()).collect();
            for (at, half) in halves.iter_mut().enumerate() {
                half.send(&bytes[..at]);
            }
            for _ in 0..5 {
                answered(worker.connect(), "a whole one");
            }
            let start = Instant::now();
            for (at, half) in halves.iter_mut().enumerate() {
                half.send(&bytes[at..]);
            }
            for half in &mut halves {
                assert_eq!(output(half, 1, start), "body");
            }
        }
    }
}

#[test]
fn a_head_byte_by_byte_delays_nobody() {
    let _turn = beside_others();
    for options in THREADS {
        let worker = Worker::ours(options);
        let bytes = request(1, true, &[("NAME", "value")], b"");
        // All bytes but the last of the empty PARAMS record and the end of the body.
        let last = bytes.len() - 9;
        let mut slow = worker.connect();
        for round in 0..2 {
            for byte in &bytes[..last] {
                slow.send(&[*byte]);
                answered(worker.connect(), "a fast one");
            }
            let start = Instant::now();
            slow.send(&bytes[last..]);
            assert_eq!(output(&mut slow, 1, start), "", "round {round}");
        }
    }
}

#[test]
fn half_a_head_blocks_the_original() {
    let _turn = beside_others();
    let worker = Worker::start(Library::Original, Listen::Unix, &[]);
    let mut half = worker.connect();
    half.send(&request(1, false, &[], b"")[..20]);
    assert!(waits_in_vain(&worker, worker.connect()), "the original does it right");
}

#[test]
fn silent_peers_delay_nobody() {
    let _turn = beside_others();
    for options in THREADS {
        for listen in [Listen::Unix, Listen::Tcp] {
            let worker = Worker::start(Library::Ours, listen, options);
            let mut silent: Vec<Connection> = (0..30).map(|_| worker.connect()).collect();
            for silent in &mut silent[..20] {
                answered(worker.connect(), "a client with a request");
                // Late, but in time.
                silent.send(&echo(1, false, "late"));
                assert_eq!(output(silent, 1, Instant::now()), "late");
            }
        }
    }
    for listen in [Listen::Unix, Listen::Tcp] {
        let worker = Worker::start(Library::Original, listen, &[]);
        let _silent = [worker.connect(), worker.connect()];
        assert!(waits_in_vain(&worker, worker.connect()), "the original does it right");
    }
}

fn with_patience(milliseconds: &str) -> Worker {
    let keeper = format!("LIBFCGI_IS_AF_UNIX_KEEPER_POLL_TIMEOUT={milliseconds}");
    let close = format!("LIBFCGI_OS_CLOSE_POLL_TIMEOUT={milliseconds}");
    Worker::start_in(&["env", &keeper, &close], Library::Ours, Listen::Unix, &[])
}

#[test]
fn silent_unix_peers_are_closed_after_the_keeper_timeout() {
    let _turn = alone();
    let worker = with_patience("300");
    let start = Instant::now();
    let mut silent = [worker.connect(), worker.connect(), worker.connect()];
    let mut half = worker.connect();
    half.send(&echo(1, false, "")[..1]);
    for silent in &mut silent {
        assert_eq!(silent.until_closed(), []);
    }
    let waited = start.elapsed();
    assert!(waited >= Duration::from_millis(300) && waited < AT_MOST, "closed after {waited:?}");
    // Once the first byte has arrived, the timeout no longer applies.
    half.send(&echo(1, false, "")[1..]);
    assert_eq!(output(&mut half, 1, Instant::now()), "");
}

/// A client that always has more requests queued than the program can serve.
fn always_busy(connection: Connection, end: Instant) {
    connection.flood(&echo(1, true, "work").repeat(500), end);
}

#[test]
fn deadlines_pass_while_there_is_always_work() {
    let _turn = beside_others();
    let worker = with_patience("300");
    let mut silent = worker.connect();
    let end = Instant::now() + 2 * AT_MOST;
    thread::scope(|scope| {
        scope.spawn(|| always_busy(worker.connect(), end));
        silent.within(AT_MOST);
        assert!(silent.closed, "a silent peer is still there");
    });
}

#[test]
fn a_client_with_many_requests_delays_nobody() {
    let _turn = beside_others();
    for options in THREADS {
        let worker = Worker::ours(options);
        let end = Instant::now() + AT_MOST;
        thread::scope(|scope| {
            scope.spawn(|| always_busy(worker.connect(), end));
            while Instant::now() < end {
                answered(worker.connect(), "one request");
            }
        });
    }
}

#[test]
fn a_refused_peer_that_goes_on_sending_is_closed() {
    let _turn = alone();
    let worker = with_patience("300");
    let mut refused = worker.connect();
    refused.send(&begin_role(1, Role::Unknown(99), false));
    refused.until_end_of(1);
    let flood = abort(9).repeat(1000);
    let start = Instant::now();
    while !refused.has_ended() {
        refused.send(&flood);
        assert!(start.elapsed() < 2 * AT_MOST, "never closed");
    }
    answered(worker.connect(), "the next");
}
