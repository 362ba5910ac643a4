//! The LIBFCGI_* limits on waiting connections: each closes that one connection and no other. The
//! original only limits the first byte on unix sockets (see idle.rs).

use std::thread;
use std::time::{Duration, Instant};

use super::{AT_MOST, IN_VAIN, answered, echo, output, text, waits_in_vain};
use testkit::turns::alone;
use testkit::wire::{Connection, abort, begin, get_values, no_requests, request};
use testkit::{Library, Listen, PATIENCE, Worker, until};

use fcgi::internals::protocol::{HEADER_LEN, RecordType};

/// The limit in these tests, in milliseconds.
const LIMIT: u64 = 300;

const KEEPER: &str = "LIBFCGI_IS_AF_UNIX_KEEPER_POLL_TIMEOUT";

/// The options for one thread and for eight.
const THREADS: [&[&str]; 2] = [&[], &["-t", "8"]];

fn limited(setting: &str, listen: Listen, options: &[&str]) -> Worker {
    Worker::start_in(&["env", setting], Library::Ours, listen, options)
}

/// Asserts that the connection ends by itself, at the limit.
fn closed_in_time(connection: &mut Connection, since: Instant) {
    assert_eq!(connection.until_closed(), []);
    let waited = since.elapsed();
    let limit = Duration::from_millis(LIMIT);
    assert!(waited >= limit && waited < limit + AT_MOST, "closed after {waited:?}");
}

#[test]
fn the_first_byte_over_tcp() {
    let _turn = alone();
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
    let _turn = alone();
    let worker = limited("LIBFCGI_FIRST_BYTE_TIMEOUT=0", Listen::Tcp, &[]);
    let mut silent = worker.connect();
    assert!(silent.is_silent(AT_MOST));
    silent.send(&echo(1, false, "late"));
    assert_eq!(output(&mut silent, 1, Instant::now()), "late");
}

/// Bytes that are not a request do not extend the time for one.
#[test]
fn what_is_no_request_takes_no_longer() {
    let _turn = alone();
    for (setting, listen) in [("LIBFCGI_FIRST_BYTE_TIMEOUT", Listen::Tcp), (KEEPER, Listen::Unix)] {
        for options in THREADS {
            let worker = limited(&format!("{setting}={LIMIT}"), listen, options);
            let start = Instant::now();
            let mut others = no_requests().map(|bytes| (worker.connect(), bytes));
            let mut late = worker.connect();
            for (one, bytes) in &mut others {
                one.send(bytes);
            }
            late.send(&get_values(&[])).until_record(|_| true);
            thread::sleep(Duration::from_millis(LIMIT / 2));
            for (one, _) in &mut others {
                one.send(&[0; 8]);
            }
            late.send(&echo(1, true, "in time"));
            assert_eq!(output(&mut late, 1, Instant::now()), "in time");
            for (one, bytes) in &mut others {
                let answers = one.until_closed();
                let waited = start.elapsed();
                let is_in_time = waited >= Duration::from_millis(LIMIT) && waited < AT_MOST;
                assert!(is_in_time, "{bytes:?}: closed after {waited:?}");
                assert_eq!(answers.is_empty(), bytes[1] == 5);
            }
            // This connection has carried a request.
            assert!(late.is_silent(Duration::from_millis(2 * LIMIT)));
        }
    }
}

#[test]
fn what_is_no_request_holds_the_original() {
    let _turn = alone();
    for bytes in no_requests() {
        let worker = Worker::start(Library::Original, Listen::Tcp, &[]);
        let mut holds = worker.connect();
        assert!(holds.send(&bytes).is_silent(IN_VAIN));
        assert!(waits_in_vain(&worker, worker.connect()), "the original does it right");
    }
}

/// The first byte of any kind starts the time for a head, once.
#[test]
fn a_question_in_two_pieces_takes_no_longer() {
    let _turn = alone();
    let (first, rest) = (&get_values(&[])[..3], &get_values(&[])[3..]);
    for options in THREADS {
        let worker = limited(&format!("LIBFCGI_HEAD_TIMEOUT={LIMIT}"), Listen::Tcp, options);
        let mut new = worker.connect();
        let mut kept = worker.connect();
        kept.send(&echo(1, true, "kept"));
        assert_eq!(output(&mut kept, 1, Instant::now()), "kept");
        let start = Instant::now();
        for one in [&mut new, &mut kept] {
            one.send(first);
            thread::sleep(Duration::from_millis(50));
            one.send(rest).until_record(|record| record.kind == RecordType::GET_VALUES_RESULT);
        }
        closed_in_time(&mut new, start);
        // A connection that has carried a request is idle again.
        assert!(kept.is_silent(Duration::from_millis(2 * LIMIT)));
        kept.send(&echo(1, true, "again"));
        assert_eq!(output(&mut kept, 1, Instant::now()), "again");
    }
}

/// A request that the library answers itself counts too: its connection is kept if that was asked
/// for.
#[test]
fn after_a_request_that_is_aborted_a_connection_may_wait() {
    let _turn = alone();
    for options in THREADS {
        let worker = limited(&format!("LIBFCGI_FIRST_BYTE_TIMEOUT={LIMIT}"), Listen::Tcp, options);
        let mut kept = worker.connect();
        kept.send(&[begin(1, true), abort(1)].concat()).until_end_of(1);
        assert!(kept.is_silent(Duration::from_millis(2 * LIMIT)));
        kept.send(&echo(1, true, "late"));
        assert_eq!(output(&mut kept, 1, Instant::now()), "late");
    }
}

#[test]
fn a_whole_head() {
    let _turn = alone();
    let setting = format!("LIBFCGI_HEAD_TIMEOUT={LIMIT}");
    let head = request(1, true, &[("NAME", "value")], b"");
    for options in THREADS {
        for listen in [Listen::Unix, Listen::Tcp] {
            let worker = limited(&setting, listen, options);
            let mut new = worker.connect();
            let start = Instant::now();
            new.send(&head[..30]);
            closed_in_time(&mut new, start);
            // Next come a kept connection, and a head that follows a request that is served.
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

/// The time is for the whole head: more bytes do not restart it.
#[test]
fn a_head_byte_by_byte() {
    let _turn = alone();
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

/// Starts a request that runs until its output is read or the connection is closed.
fn endless(worker: &Worker) -> Connection {
    let mut connection = worker.connect();
    connection.send(&request(1, false, &[("SIZE", "20000000")], b""));
    connection.until_record(|record| record.kind == RecordType::STDOUT);
    connection
}

/// Sends `first` bytes of a request on two connections. The one whose rest arrives while every
/// thread is busy is answered, however late a thread is free; the other one times out. Returns
/// false when the limit passed before every thread was busy.
fn spoken_while_all_are_busy(
    setting: &str,
    limit: Duration,
    listen: Listen,
    first: usize,
    options: &[&str],
) -> bool {
    let threads = if options.is_empty() { 1 } else { 8 };
    let worker = limited(&format!("{setting}={}", limit.as_millis()), listen, options);
    let whole = echo(1, false, "in time");
    // When this one is answered, the program is running.
    worker.connect().send(&whole).until_end_of(1);
    let start = Instant::now();
    let mut waiting = [worker.connect(), worker.connect()];
    for connection in &mut waiting {
        connection.send(&whole[..first]);
    }
    // This one comes after them: when it is answered, they have been accepted.
    worker.connect().send(&whole).until_end_of(1);
    let busy: Vec<Connection> = (0..threads).map(|_| endless(&worker)).collect();
    let [mut in_time, mut other] = waiting;
    in_time.send(&whole[first..]);
    if start.elapsed() >= limit {
        return false;
    }
    assert!(in_time.is_silent(limit + Duration::from_millis(LIMIT)), "some thread had time");
    drop(busy);
    assert_eq!(text(&in_time.until_end_of(1)), "in time", "{listen:?}, {threads}");
    assert_eq!(other.until_closed(), []);
    true
}

/// Tries no bytes and half a head first, with one thread and with eight, all in parallel.
#[test]
fn a_request_that_comes_while_all_are_busy() {
    let _turn = alone();
    let head = "LIBFCGI_HEAD_TIMEOUT";
    thread::scope(|scope| {
        for (setting, listen, first) in [
            (KEEPER, Listen::Unix, 0),
            ("LIBFCGI_FIRST_BYTE_TIMEOUT", Listen::Tcp, 0),
            (head, Listen::Unix, 20),
            (head, Listen::Tcp, 20),
        ] {
            for options in THREADS {
                scope.spawn(move || {
                    // On a slow machine it takes longer until all threads are busy.
                    let done = [1, 5].into_iter().any(|seconds| {
                        let limit = Duration::from_secs(seconds);
                        spoken_while_all_are_busy(setting, limit, listen, first, options)
                    });
                    assert!(done, "too slow: {setting} {listen:?} {options:?}");
                });
            }
        }
    });
}

/// The rest of the body of an answered request is not a head. It has no time limit, within a record
/// or between two.
#[test]
fn the_rest_of_a_body_has_no_limit() {
    let _turn = alone();
    let whole = request(1, true, &[("READ", "0")], &[b'b'; 70_000]);
    let next = echo(2, true, "next");
    for options in THREADS {
        let worker = limited(&format!("LIBFCGI_HEAD_TIMEOUT={LIMIT}"), Listen::Unix, options);
        let mut slow = [10_000, HEADER_LEN].map(|left| {
            let (first, rest) = whole.split_at(whole.len() - left);
            let mut connection = worker.connect();
            connection.send(first);
            assert_eq!(output(&mut connection, 1, Instant::now()), "");
            (connection, first, rest)
        });
        for (connection, first, rest) in &mut slow {
            assert!(connection.is_silent(Duration::from_millis(2 * LIMIT)), "{}", rest.len());
            connection.send(rest).send(&next);
            assert_eq!(output(connection, 2, Instant::now()), "next");
            connection.send(first);
            assert_eq!(output(connection, 1, Instant::now()), "");
        }
        // The next head has its own time, from its first byte on.
        let start = Instant::now();
        for (connection, _, rest) in &mut slow {
            connection.send(&[rest, &next[..20]].concat());
        }
        for (connection, ..) in &mut slow {
            closed_in_time(connection, start);
        }
    }
}

#[test]
fn connections_without_a_request() {
    let _turn = alone();
    for options in THREADS {
        let worker = limited("LIBFCGI_MAX_WAITING=4", Listen::Unix, options);
        let keep = |_| {
            let mut kept = worker.connect();
            kept.send(&echo(1, true, "kept"));
            assert_eq!(output(&mut kept, 1, Instant::now()), "kept");
            kept
        };
        let mut waiting: Vec<Connection> = (0..7).map(keep).collect();
        // The longest-waiting connections are closed. With several threads these need not be the
        // first ones.
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

/// Web servers keep idle connections to use them again, so silent connections are closed first.
#[test]
fn too_many_silent_connections() {
    let _turn = alone();
    for options in THREADS {
        let worker = limited("LIBFCGI_MAX_WAITING=4", Listen::Tcp, options);
        let mut kept = worker.connect();
        kept.send(&echo(1, true, "kept"));
        assert_eq!(output(&mut kept, 1, Instant::now()), "kept");
        let mut silent: Vec<Connection> = (0..5).map(|_| worker.connect()).collect();
        let mut gone = || silent.iter_mut().filter_map(|one| one.has_ended().then_some(())).count();
        until("two to be closed", PATIENCE, || (gone() == 2).then_some(()));
        kept.send(&echo(1, true, "again"));
        assert_eq!(output(&mut kept, 1, Instant::now()), "again", "{options:?}");
        assert_eq!(gone(), 2);
    }
}

/// Connections that sent something other than a request are closed before kept ones too.
#[test]
fn too_many_connections_that_never_had_a_request() {
    let _turn = alone();
    for bytes in no_requests() {
        for options in THREADS {
            let worker = limited("LIBFCGI_MAX_WAITING=20", Listen::Tcp, options);
            let mut without: Vec<Connection> = (0..15).map(|_| worker.connect()).collect();
            for one in &mut without {
                one.send(&bytes);
            }
            let mut kept: Vec<Connection> = (0..10).map(|_| worker.connect()).collect();
            for kept in &mut kept {
                kept.send(&echo(1, true, "kept"));
                assert_eq!(output(kept, 1, Instant::now()), "kept");
            }
            let mut gone =
                || without.iter_mut().filter_map(|one| one.has_ended().then_some(())).count();
            until("five to be closed", PATIENCE, || (gone() == 5).then_some(()));
            for kept in &mut kept {
                kept.send(&echo(1, true, "again"));
                assert_eq!(output(kept, 1, Instant::now()), "again", "{options:?}");
            }
            assert_eq!(gone(), 5);
        }
    }
}
