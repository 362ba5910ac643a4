//! Descriptors that are reused for something else while the library knows their numbers.

use std::fs;
use std::time::{Duration, Instant};

use fcgi::internals::protocol::RecordType;

use super::shortage::Half;
use super::{AT_MOST, IN_VAIN, answered, is_answered_within, output};
use testkit::turns::beside_others;
use testkit::wire::{Connection, request};
use testkit::{Library, Listen, PATIENCE, Worker, until, until_asleep};

/// Sends a request with one parameter on a kept connection, and waits until the program waits
/// again.
pub(super) fn tell(worker: &Worker, kept: &mut Connection, name: &str) {
    let start = Instant::now();
    kept.send(&request(1, true, &[(name, "")], b"body"));
    assert_eq!(output(kept, 1, start), "body", "{name}");
    until_asleep(worker.running.pid());
}

/// Asserts that the program waits without using the processor, and sends nothing on that
/// connection.
pub(super) fn rests(worker: &Worker, connection: &mut Connection) {
    let before = worker.processor_time();
    assert!(connection.is_silent(IN_VAIN));
    let used = worker.processor_time() - before;
    assert!(used < IN_VAIN / 5, "{used:?} of {IN_VAIN:?} on the processor");
}

/// Returns a kept connection that has carried two requests, so the library has parked it in
/// between.
fn kept_for_long(worker: &Worker) -> Connection {
    let mut kept = worker.kept();
    tell(worker, &mut kept, "");
    kept
}

/// The longest that one of two threads may sleep before it looks for a new listen socket, plus a
/// margin.
const NEXT_LOOK: Duration = Duration::from_secs(6);

/// The ways in which the program changes its listen socket, and the path where it waits afterwards.
const CHANGES: [(&str, &str); 3] =
    [("ELSEWHERE", "other"), ("REOPEN", "socket"), ("REOPEN_OS", "socket")];

#[test]
fn a_kept_connection_outlives_its_listen_socket() {
    let _turn = beside_others();
    for library in Library::BOTH {
        // The program has either changed listen_sock or reused its number.
        for (change, path) in CHANGES {
            let worker = Worker::start(library, Listen::Own, &[]);
            let mut kept = kept_for_long(&worker);
            tell(&worker, &mut kept, change);
            for _ in 0..2 {
                tell(&worker, &mut kept, "");
                rests(&worker, &mut kept);
            }
            drop(kept);
            let mut another = Connection::open(&worker.path(path));
            tell(&worker, &mut another, "");
            rests(&worker, &mut another);
        }
    }
}

#[test]
fn a_new_listen_socket_of_the_librarys_is_not_taken_for_the_old_one() {
    let _turn = beside_others();
    for library in Library::BOTH {
        for (change, path) in CHANGES {
            let worker = Worker::start(library, Listen::Own, &[]);
            let mut kept = kept_for_long(&worker);
            tell(&worker, &mut kept, change);
            drop(kept);
            let another = Connection::open(&worker.path(path));
            assert!(is_answered_within(another, IN_VAIN), "{library:?}, {change}");
        }
    }
}

#[test]
fn a_kept_connection_that_the_program_takes_over_is_left_alone() {
    let _turn = beside_others();
    for library in Library::BOTH {
        let worker = Worker::start(library, Listen::Unix, &[]);
        let mut taken = kept_for_long(&worker);
        taken.send(&request(1, true, &[("TAKE", "")], b"body"));
        taken.until_record(|record| record.kind == RecordType::STDOUT);
        until_asleep(worker.running.pid());
        taken.send(b"for its new owner");
        answered(worker.connect(), "another");
        rests(&worker, &mut taken);
        answered(worker.connect(), "another");
    }
}

#[test]
fn a_new_listen_socket_at_the_number_is_served_without_delay() {
    let _turn = beside_others();
    for library in Library::BOTH {
        let worker = Worker::start(library, Listen::Unix, &[]);
        // From now on our library waits in epoll.
        drop(worker.kept());
        let listen = format!("/proc/{}/fd/0", worker.running.pid());
        let old = fs::read_link(&listen).unwrap();
        worker.ask(&[("REPLACE", "")]);
        until("the new listen socket", PATIENCE, || {
            (fs::read_link(&listen).unwrap() != old).then_some(())
        });
        // epoll has not reported the change: the library has to notice the first client.
        assert!(is_answered_within(worker.connect(), 2 * AT_MOST));
        for _ in 0..5 {
            let start = Instant::now();
            answered(worker.connect(), "another");
            let waited = start.elapsed();
            assert!(waited < IN_VAIN, "{library:?}: answered after {waited:?}");
        }
    }
}

#[test]
fn a_new_listen_socket_is_served_by_who_waits_on_the_old_one_and_who_comes_later() {
    let _turn = beside_others();
    let serve = |library, limit| {
        let worker = Worker::start(library, Listen::Own, &["-t", "2"]);
        worker.until_all_wait(3);
        // The thread that made the new socket waits on it once its request is served.
        let serve = [&[("ANEW", "")][..], &[]].map(|list| {
            let busy = Half::with(worker.connect(), &worker, list);
            let other_serves = is_answered_within(worker.connect(), limit);
            drop(busy.finish());
            other_serves
        });
        assert_eq!(worker.results(), [], "{library:?}");
        serve
    };
    // In the original, the other thread's accept stays on the socket that is gone.
    assert_eq!(serve(Library::Original, IN_VAIN), [false, false], "the original does it right");
    assert_eq!(serve(Library::Ours, NEXT_LOOK), [true, true]);
}

/// Covers rounds with and without an older kept connection. A thread that waited on the old socket
/// accepts a silent connection from the new one. Both clients send when no thread waits on the old
/// socket any more.
#[test]
fn what_threads_have_taken_from_a_new_listen_socket_goes_with_them() {
    let _turn = beside_others();
    for round in 0..10 {
        let worker = Worker::start(Library::Ours, Listen::Own, &["-t", "2"]);
        worker.until_all_wait(3);
        let mut kept = (round % 2 == 0).then(|| worker.kept());
        let making = Half::with(worker.connect(), &worker, &[("ANEW", "")]);
        let mut silent = worker.connect();
        // The thread that waited on the old socket serves this one, and then waits on the new
        // socket.
        assert!(is_answered_within(worker.connect(), NEXT_LOOK));
        drop(making.finish());
        for _ in 0..4 {
            answered(worker.connect(), "another");
        }
        silent.send(&request(1, false, &[], b"late"));
        assert_eq!(output(&mut silent, 1, Instant::now()), "late");
        kept.iter_mut().for_each(|kept| tell(&worker, kept, ""));
        assert_eq!(worker.results(), []);
    }
}
