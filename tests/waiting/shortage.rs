//! Too few descriptors and too few slots for waiting connections: a client that has sent a request
//! is served.

use std::fs;
use std::ptr;
use std::time::Instant;

use fcgi::internals::protocol::RecordType;

use super::changes::rests;
use super::{AT_MOST, answered, echo, is_answered_within, output};
use testkit::turns::beside_others;
use testkit::wire::{Connection, begin, get_values, request};
use testkit::{Library, Listen, PATIENCE, Worker, until, until_asleep, until_in};

/// Limits the program's new descriptors to numbers below `most`, and keeps the open ones. Returns
/// the limit before.
fn limit_descriptors(worker: &Worker, most: libc::rlim_t) -> libc::rlim_t {
    let process = worker.running.pid() as libc::pid_t;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid place for the result, and the process belongs to the test.
    let got = unsafe { libc::prlimit(process, libc::RLIMIT_NOFILE, ptr::null(), &raw mut limit) };
    let before = std::mem::replace(&mut limit.rlim_cur, most);
    // SAFETY: as above; `limit` is only read here.
    let set =
        unsafe { libc::prlimit(process, libc::RLIMIT_NOFILE, &raw const limit, ptr::null_mut()) };
    assert_eq!((got, set), (0, 0));
    before
}

/// The system calls in which the program waits for the rest of a body.
const READS: [libc::c_long; 4] =
    [libc::SYS_recvfrom, libc::SYS_recvmsg, libc::SYS_readv, libc::SYS_read];

/// A kept request that keeps the program busy until the rest arrives.
pub(super) struct Half {
    connection: Connection,
    rest: Vec<u8>,
}

impl Half {
    fn of(connection: Connection, worker: &Worker) -> Self {
        Self::with(connection, worker, &[])
    }

    pub(super) fn with(mut connection: Connection, worker: &Worker, list: &[(&str, &str)]) -> Self {
        let mut whole = request(1, true, list, b"body");
        let rest = whole.split_off(whole.len() - 10);
        connection.send(&whole);
        until_in(worker.running.pid(), &READS);
        Self { connection, rest }
    }

    /// Sends the rest, and returns the idle connection.
    pub(super) fn finish(mut self) -> Connection {
        let start = Instant::now();
        self.connection.send(&self.rest);
        assert_eq!(output(&mut self.connection, 1, start), "body");
        self.connection
    }
}

/// Starts our library only, because the original never waits for several connections.
fn ours(setting: &str) -> Worker {
    Worker::start_in(&["env", setting], Library::Ours, Listen::Unix, &[])
}

/// The connection that has waited longest for its request makes room, unless its request has
/// arrived.
#[test]
fn a_connection_that_could_make_room_is_served_if_it_has_spoken() {
    let _turn = beside_others();
    let worker = ours("LIBFCGI_IS_AF_UNIX_KEEPER_POLL_TIMEOUT=20000");
    let busy = worker.kept();
    let mut silent = worker.connect();
    // This one comes after it: when it is answered, the silent one has been accepted.
    answered(worker.connect(), "another");
    let busy = Half::of(busy, &worker);
    let before = limit_descriptors(&worker, 3);
    // The program gets to the new connection first.
    let mut new = worker.connect();
    new.send(&echo(1, false, "new"));
    silent.send(&echo(1, false, "in time"));
    let _idle = busy.finish();
    assert_eq!(output(&mut silent, 1, Instant::now()), "in time");
    limit_descriptors(&worker, before);
    assert_eq!(output(&mut new, 1, Instant::now()), "new");
}

#[test]
fn a_connection_too_many_is_served_if_it_has_spoken() {
    let _turn = beside_others();
    let worker = ours("LIBFCGI_MAX_WAITING=1");
    let mut first = worker.kept();
    let second = Half::of(worker.connect(), &worker);
    first.send(&echo(1, true, "again"));
    let mut second = second.finish();
    assert_eq!(output(&mut first, 1, Instant::now()), "again");
    // Both are idle now, and one has to be closed.
    let closed = until("a connection to be closed", PATIENCE, || {
        let closed = [first.has_ended(), second.has_ended()];
        (closed != [false, false]).then_some(closed)
    });
    assert_ne!(closed, [true, true]);
    answered(worker.connect(), "another");
}

/// Without epoll the program waits for the idle connection alone, but only for a second.
#[test]
fn a_shortage_at_the_first_kept_connection_passes() {
    let _turn = beside_others();
    let worker = Worker::ours(&[]);
    let busy = Half::of(worker.connect(), &worker);
    let before = limit_descriptors(&worker, 3);
    let mut idle = busy.finish();
    until_asleep(worker.running.pid());
    limit_descriptors(&worker, before);
    assert!(is_answered_within(worker.connect(), 2 * AT_MOST), "the shortage goes on");
    // The price is the idle connection.
    assert_eq!(idle.until_closed(), []);
    let _idle = worker.kept();
    answered(worker.connect(), "another");
}

/// Without epoll the program also waits alone for a client that has sent no request, and only for a
/// second.
#[test]
fn who_sends_no_request_holds_nobody_for_long_without_epoll() {
    let _turn = beside_others();
    let is_let_go = |library, most, is_question: bool| {
        let worker = Worker::start(library, Listen::Unix, &["-f", most]);
        let mut first = worker.connect();
        // By now the program waits for this connection.
        assert!(first.is_silent(AT_MOST / 10));
        if is_question {
            first.send(&get_values(&["FCGI_MAX_CONNS"]));
            first.until_record(|record| record.kind == RecordType::GET_VALUES_RESULT);
        } else {
            first.send(&begin(1, false));
        }
        let mut other = worker.connect();
        other.send(&echo(1, false, "other"));
        let _ = first.within(2 * AT_MOST);
        // The program waits once more for a peer that does not close, because the peer may still be
        // reading.
        let is_let_go = first.closed;
        drop(first);
        assert_eq!(output(&mut other, 1, Instant::now()), "other");
        is_let_go
    };
    // The original waits whatever the number of descriptors, and forgets to answer a management
    // record.
    assert!(!is_let_go(Library::Original, "5", false), "the original does it right");
    for is_question in [false, true] {
        // Descriptors 0, 1 and 2, that connection, and possibly another one.
        for most in ["4", "5"] {
            assert!(is_let_go(Library::Ours, most, is_question), "{most}, {is_question}");
        }
    }
}

#[test]
fn a_shortage_that_concerns_nobody_closes_nothing() {
    let _turn = beside_others();
    for library in Library::BOTH {
        // Descriptors 0, 1 and 2, epoll and the wake-up, this connection, and the last one, which
        // stays free.
        let worker = Worker::start(library, Listen::Unix, &["-f", "8"]);
        let mut half = worker.connect();
        let whole = echo(1, false, "body");
        half.send(&whole[..10]);
        rests(&worker, &mut half);
        half.send(&whole[10..]);
        assert_eq!(output(&mut half, 1, Instant::now()), "body", "{library:?}");
    }
}

/// The library leaves the last descriptor to a connection, and does without its own.
#[test]
fn with_threads_there_is_always_a_descriptor_for_a_connection() {
    let _turn = beside_others();
    for library in Library::BOTH {
        // Descriptors 0, 1 and 2 are in use. At 7 there is also room for epoll, the wake-up and a
        // connection. A waiting thread of the original already uses a descriptor.
        let least = if library == Library::Ours { 4 } else { 5 };
        for most in least..=7 {
            let worker =
                Worker::start(library, Listen::Unix, &["-f", &most.to_string(), "-t", "2"]);
            for _ in 0..3 {
                answered(worker.connect(), "body");
            }
            worker.until_all_wait(3);
            answered(worker.connect(), "another");
            if library == Library::Ours {
                let what = format!("RLIMIT_NOFILE is {most}");
                let said = fs::read_to_string(worker.path("stderr")).unwrap();
                assert_eq!(said.matches(&what).count(), usize::from(most < 7), "{most}: {said}");
                worker.signal(libc::SIGTERM);
                until("the threads' ends", 2 * AT_MOST, || {
                    (worker.results() == [-libc::EINTR; 2]).then_some(())
                });
            }
        }
    }
}
