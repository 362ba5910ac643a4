//! The connection of a finished request waits with all others, whatever happens to the structure:
//! it may be used for one request only, its thread may be away for long, or another thread may
//! finish the request.

use std::thread;
use std::time::{Duration, Instant};

use super::{IN_VAIN, output};
use testkit::turns::{alone, beside_others};
use testkit::wire::{Connection, request};
use testkit::{Library, Listen, PATIENCE, Worker, until};

/// The options for one thread, one beside the first, and several, with a new structure per request.
const ANEW: [&[&str]; 3] = [&["-n"], &["-n", "-t", "1"], &["-n", "-t", "4"]];

/// The time that a thread is away after a request, in milliseconds.
const AWAY: &str = "1000";
/// The time within which another thread has to serve the next request: 20 ms, plus what a busy
/// machine adds.
const SOON: Duration = Duration::from_millis(300);

const REQUESTS: usize = 100_000;

pub(super) fn start(library: Library, options: &[&str]) -> Worker {
    start_in(&[], library, options)
}

fn start_in(around: &[&str], library: Library, options: &[&str]) -> Worker {
    Worker::start_program("given_back", around, library, Listen::Unix, options)
}

/// Returns the response to a request on a kept connection.
pub(super) fn ask(connection: &mut Connection, list: &[(&str, &str)]) -> String {
    let start = Instant::now();
    connection.send(&request(1, true, list, b""));
    output(connection, 1, start)
}

/// Returns a kept connection that has carried a few requests.
pub(super) fn opened(worker: &Worker) -> Connection {
    let mut connection = worker.connect();
    (0..4).for_each(|_| drop(ask(&mut connection, &[])));
    connection
}

/// Returns the number of open descriptors and of bytes in use.
fn count(worker: &Worker) -> (usize, usize) {
    let (start, mut connection) = (Instant::now(), worker.connect());
    connection.send(&request(1, false, &[("COUNT", "")], b""));
    let answer = output(&mut connection, 1, start);
    let (descriptors, bytes) = answer.split_once(' ').unwrap();
    (descriptors.parse().unwrap(), bytes.parse().unwrap())
}

/// Waits until the program has no more descriptors than before, and no more memory.
fn until_as_before(worker: &Worker, before: (usize, usize), what: &str) {
    until(&format!("{what}: as few as {before:?}"), PATIENCE, || {
        let now = count(worker);
        (now.0 <= before.0 && now.1 <= before.1 + 60_000).then_some(())
    });
}

#[test]
fn a_structure_for_each_request_serves_kept_connections() {
    let _turn = beside_others();
    for options in ANEW {
        let worker = start(Library::Original, options);
        let mut connection = worker.connect();
        ask(&mut connection, &[]);
        assert!(connection.send(&request(1, true, &[], b"")).is_silent(IN_VAIN));

        let worker = start(Library::Ours, options);
        let mut kept: Vec<Connection> = (0..3).map(|_| worker.connect()).collect();
        for _ in 0..20 {
            kept.iter_mut().for_each(|connection| drop(ask(connection, &[])));
        }
    }
}

#[test]
fn a_structure_for_each_request_leaves_nothing_behind() {
    let _turn = beside_others();
    for options in [ANEW[0], ANEW[2]] {
        let worker = start(Library::Ours, options);
        let mut kept: Vec<Connection> = (0..4).map(|_| worker.connect()).collect();
        let ask_all = |kept: &mut Vec<Connection>, each: usize| {
            thread::scope(|scope| {
                for connection in kept {
                    scope.spawn(move || (0..each).for_each(|_| drop(ask(connection, &[]))));
                }
            });
        };
        ask_all(&mut kept, 100);
        let before = count(&worker);
        ask_all(&mut kept, REQUESTS / 4);
        until_as_before(&worker, before, "many requests on few connections");
    }
}

#[test]
fn connections_that_are_used_once_leave_nothing_behind() {
    let _turn = beside_others();
    for options in ANEW {
        let worker = start(Library::Ours, options);
        drop(opened(&worker));
        let before = count(&worker);
        let once = || {
            let mut connection = worker.connect();
            ask(&mut connection, &[]);
            connection
        };
        let many: Vec<Connection> = (0..500).map(|_| once()).collect();
        // The earlier connection may still have been open at the first count.
        assert!(count(&worker).0 >= before.0 + 499);
        drop(many);
        until("their ends", PATIENCE, || (count(&worker).0 <= before.0 + 1).then_some(()));
        // The table has now grown to the largest number of simultaneous connections.
        let before = count(&worker);
        drop((0..500).map(|_| once()).collect::<Vec<_>>());
        until_as_before(&worker, (before.0 + 1, before.1), "connections that were used once");
    }
}

const WITH_TWO: [&[&str]; 4] =
    [&["-t", "2"], &["-n", "-t", "2"], &["-e", "-t", "2"], &["-e", "-n", "-t", "2"]];

/// The thread that accepted a request stays away for a second. Another thread serves the next
/// request on that connection.
#[test]
fn another_thread_serves_the_next_request_soon() {
    let _turn = alone();
    for options in WITH_TWO {
        let worker = start(Library::Original, options);
        let mut connection = worker.connect();
        ask(&mut connection, &[("AFTER", AWAY)]);
        assert!(connection.send(&request(1, true, &[], b"")).is_silent(IN_VAIN));

        let worker = start(Library::Ours, options);
        let mut first = opened(&worker);
        let mut second = opened(&worker);
        for _ in 0..4 {
            ask(&mut first, &[("AFTER", AWAY)]);
            let start = Instant::now();
            let who = ask(&mut first, &[]);
            assert!(start.elapsed() < SOON, "{options:?}: {who}, {:?}", start.elapsed());
            ask(&mut second, &[]);
            until("both threads", PATIENCE, || {
                let both = thread::scope(|scope| {
                    let slow = [&mut first, &mut second]
                        .map(|one| scope.spawn(|| ask(one, &[("SLEEP", "30")])));
                    slow.map(|one| one.join().unwrap())
                });
                (both[0] != both[1]).then_some(())
            });
        }
    }
}

/// The same holds while the other thread is busy with a client of its own that always asks again
/// immediately.
#[test]
fn a_busy_thread_serves_it_soon_too() {
    let _turn = alone();
    for options in WITH_TWO {
        let worker = start(Library::Ours, options);
        let (mut first, mut busy) = (opened(&worker), opened(&worker));
        for _ in 0..2 {
            // By then each thread holds its connection.
            thread::scope(|scope| {
                for one in [&mut first, &mut busy] {
                    scope.spawn(|| (0..200).for_each(|_| drop(ask(one, &[]))));
                }
            });
            let end = Instant::now() + Duration::from_millis(1300);
            thread::scope(|scope| {
                let busy = &mut busy;
                scope.spawn(move || {
                    while Instant::now() < end {
                        ask(busy, &[]);
                    }
                });
                ask(&mut first, &[("AFTER", AWAY)]);
                let start = Instant::now();
                ask(&mut first, &[]);
                assert!(start.elapsed() < SOON, "{options:?}: {:?}", start.elapsed());
            });
        }
    }
}

/// Many idle threads do not leave the connection to each other either. Some of them go into reserve
/// after the first request and are back before the next.
#[test]
fn one_of_many_idle_threads_serves_it_soon() {
    let _turn = alone();
    const QUIET: [Duration; 2] = [Duration::from_millis(300), Duration::from_millis(60)];
    for threads in ["6", "12"] {
        for _ in 0..3 {
            let worker = start(Library::Ours, &["-t", threads]);
            let mut connection = worker.connect();
            for quiet in QUIET {
                ask(&mut connection, &[]);
                assert!(connection.is_silent(quiet));
            }
            (0..6).for_each(|_| drop(ask(&mut connection, &[])));
            ask(&mut connection, &[("AFTER", AWAY)]);
            let start = Instant::now();
            ask(&mut connection, &[]);
            assert!(start.elapsed() < SOON, "{threads} threads: {:?}", start.elapsed());
        }
    }
}

/// A request that arrived together with the finished one is served too, by this thread or by a
/// waiting one.
#[test]
fn requests_sent_together_are_served_one_after_the_other() {
    let _turn = alone();
    let shapes: [&[&str]; 6] =
        [&[], &["-n"], &["-t", "1"], &["-t", "4"], &["-n", "-t", "4"], &["-e", "-t", "4"]];
    for options in shapes {
        let worker = start(Library::Ours, options);
        let mut connection = opened(&worker);
        let both = |connection: &mut Connection, list: &[(&str, &str)]| {
            let start = Instant::now();
            connection.send(&[request(1, true, list, b""), request(2, true, &[], b"")].concat());
            output(connection, 2, start);
            start.elapsed()
        };
        for _ in 0..20 {
            both(&mut connection, &[]);
        }
        if options.contains(&"4") {
            let took = both(&mut connection, &[("AFTER", AWAY)]);
            assert!(took < SOON, "{options:?}: {took:?}");
        }
    }
}

/// The programs: one thread or two, one structure that is reused or a new one for each request.
const SHAPES: [&[&str]; 4] = [&[], &["-n"], &["-t", "2"], &["-n", "-t", "2"]];

/// A program may end the connection itself in several ways. The peer sees the end, nothing leaks,
/// and the next connection with that number is served. Our library closes no other connection after
/// many such ends.
#[test]
fn a_program_may_end_the_connection_itself() {
    let _turn = beside_others();
    const ROUNDS: usize = 200;
    // The original's loop closes the number again, even if another thread's connection has it by then, which
    // is lost.
    for (library, shapes) in [(Library::Original, &SHAPES[..2]), (Library::Ours, &SHAPES[..])] {
        for options in shapes {
            for deed in ["shut", "shut_behind", "free_closing", "free_leaving", "do_not_keep"] {
                let shape = format!("{library:?} {options:?} {deed}");
                println!("{shape}");
                let worker = start_in(&["env", "LIBFCGI_MAX_WAITING=8"], library, options);
                let bystander = (library == Library::Ours).then(|| opened(&worker));
                let round = || {
                    let mut connection = worker.connect();
                    ask(&mut connection, &[("THEN", deed)]);
                    until("its end", PATIENCE, || connection.has_ended().then_some(()));
                };
                (0..20).for_each(|_| round());
                let before = count(&worker);
                (0..ROUNDS).for_each(|_| round());
                until_as_before(&worker, before, &shape);
                if let Some(mut bystander) = bystander {
                    ask(&mut bystander, &[]);
                }
            }
        }
    }
}

/// The connection's number now belongs to a file of the program, which stays open. The original
/// looks at the number only when the structure is used again, and then closes it.
#[test]
fn a_file_at_the_connections_number_stays() {
    let _turn = beside_others();
    const ROUNDS: usize = 20;
    for (library, shapes) in [(Library::Original, &SHAPES[1..2]), (Library::Ours, &SHAPES[..])] {
        for options in shapes {
            let worker = start_in(&["env", "LIBFCGI_MAX_WAITING=8"], library, options);
            let round = || {
                let mut connection = worker.connect();
                ask(&mut connection, &[("THEN", "replace")]);
                until("its end", PATIENCE, || connection.has_ended().then_some(()));
            };
            round();
            let before = count(&worker);
            (0..ROUNDS).for_each(|_| round());
            assert_eq!(count(&worker).0, before.0 + ROUNDS, "{library:?} {options:?}");
        }
    }
}

#[test]
fn finishing_again_does_nothing() {
    let _turn = beside_others();
    for library in Library::BOTH {
        let loops = library == Library::Original;
        for options in SHAPES.into_iter().filter(|options| !loops || !options.contains(&"-n")) {
            let worker = start(library, options);
            let mut connection = worker.connect();
            (0..20).for_each(|_| drop(ask(&mut connection, &[("THEN", "finish_again")])));
        }
    }
}

#[test]
fn a_child_that_frees_the_structure_leaves_the_connection_alone() {
    let _turn = beside_others();
    let deed = [("THEN", "fork_and_free")];
    let worker = start(Library::Original, &[]);
    let mut connection = worker.connect();
    ask(&mut connection, &deed);
    until("its end", PATIENCE, || connection.has_ended().then_some(()));

    for options in SHAPES {
        let worker = start(Library::Ours, options);
        let mut connection = worker.connect();
        (0..20).for_each(|_| drop(ask(&mut connection, &deed)));
    }
}

#[test]
fn its_descriptor_may_be_polled() {
    let _turn = beside_others();
    for library in Library::BOTH {
        let worker = start(library, &[]);
        let mut connection = worker.connect();
        ask(&mut connection, &[("THEN", "poll_it")]);
        assert_eq!(ask(&mut connection, &[]), "seen", "{library:?}");
    }
    let worker = start(Library::Ours, &["-n"]);
    let mut connection = opened(&worker);
    ask(&mut connection, &[("THEN", "poll_it")]);
    assert_eq!(ask(&mut connection, &[]), "seen");
}
