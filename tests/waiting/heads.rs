//! New connections whose head arrives late, in processes of one thread that end by themselves or
//! have long requests. No connection is taken away from a sibling that could serve it, and none is
//! lost.

use std::thread;
use std::time::{Duration, Instant};

use fcgi::internals::protocol::RecordType;

use super::sharing::{prefork, sockets};
use testkit::turns::{alone, beside_others};
use testkit::wire::{begin, params, request, stdin};
use testkit::{Library, Listen, PATIENCE, Worker, until, until_asleep};

/// The number of requests of each client, and the number of clients.
const REQUESTS: usize = 500;
const CLIENTS: usize = 4;

/// The time limit for a request to count. A client that gets no processor time is late, and may get
/// no response.
const IN_TIME: Duration = Duration::from_millis(8);

/// The delay before the first of three pieces of a request, and the delay between the pieces.
#[derive(Clone, Copy, Debug)]
struct Pieces {
    first: Duration,
    between: Duration,
}

/// The number of requests that were sent in time, and how many of them got no response.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    sent: usize,
    lost: usize,
}

fn client(worker: &Worker, pieces: Pieces) -> Tally {
    let mut tally = Tally::default();
    for _ in 0..REQUESTS {
        let start = Instant::now();
        let mut connection = worker.connect();
        thread::sleep(pieces.first);
        connection.send(&begin(1, false));
        thread::sleep(pieces.between);
        connection.send(&[params(1, &[("NAME", "value")]), params(1, &[])].concat());
        let is_in_time = start.elapsed() < IN_TIME;
        connection.send(&stdin(1, b""));
        let records = connection.until_closed();
        let is_answered = records.iter().any(|record| record.kind == RecordType::END_REQUEST);
        tally.sent += usize::from(is_in_time);
        tally.lost += usize::from(is_in_time && !is_answered);
    }
    tally
}

/// A process that ends after a fixed number of requests holds no other connection at that time.
#[test]
fn no_request_is_lost_when_processes_end_by_themselves() {
    let _turn = alone();
    let now = Duration::ZERO;
    let late = Duration::from_millis(1);
    let manners = [
        Pieces { first: now, between: now },
        Pieces { first: late, between: now },
        Pieces { first: now, between: late },
    ];
    for (library, listen) in [
        (Library::Original, Listen::Unix),
        (Library::Ours, Listen::Unix),
        (Library::Ours, Listen::Tcp),
        (Library::Ours, Listen::Own),
    ] {
        for pieces in manners {
            let worker = Worker::start(library, listen, &["-p", "3", "-e", "20"]);
            let tally = thread::scope(|scope| {
                let clients: Vec<_> =
                    (0..CLIENTS).map(|_| scope.spawn(|| client(&worker, pieces))).collect();
                clients.into_iter().map(|client| client.join().unwrap()).fold(
                    Tally::default(),
                    |sum, one| Tally { sent: sum.sent + one.sent, lost: sum.lost + one.lost },
                )
            });
            let what = format!("{tally:?}, {library:?}, {listen:?}, {pieces:?}");
            assert!(tally.sent >= CLIENTS * REQUESTS / 4, "the machine is too busy: {what}");
            assert_eq!(tally.lost, 0, "{what}");
        }
    }
}

/// A client connects and stays silent until the process stops waiting for it. Meanwhile the idle
/// process takes a long request of another client. Then the first client sends its request.
#[test]
fn a_late_head_does_not_wait_for_a_long_request_while_a_process_is_idle() {
    let _turn = beside_others();
    for library in Library::BOTH {
        for listen in [Listen::Unix, Listen::Tcp] {
            let worker = prefork(library, listen, 2);
            let processes = worker.children(2);
            let all_idle = || processes.iter().copied().for_each(until_asleep);
            for round in 0..5 {
                let mut late = worker.connect();
                until("the late one to be accepted", PATIENCE, || {
                    processes.iter().any(|process| sockets(*process) > 1).then_some(())
                });
                // The process has stopped waiting for it alone by now.
                thread::sleep(Duration::from_millis(40));
                all_idle();
                let mut long = worker.connect();
                long.send(&request(1, false, &[("SLEEP", "400")], b"long"));
                until("the long one to be accepted", PATIENCE, || {
                    let sockets = processes.iter().map(|process| sockets(*process));
                    (sockets.sum::<usize>() >= 4).then_some(())
                });
                late.send(&request(1, false, &[], b"late"));
                late.until_end_of(1);
                let what = format!("{library:?}, {listen:?}, round {round}");
                assert!(long.is_silent(Duration::from_millis(1)), "answered afterwards: {what}");
                long.until_end_of(1);
                drop((late, long));
                until("both connections' end", PATIENCE, || {
                    processes.iter().all(|process| sockets(*process) == 1).then_some(())
                });
                all_idle();
            }
        }
    }
}

/// A signal that arrives while the library waits for the head of a new connection ends the wait,
/// just as one that arrives before or after.
#[test]
fn a_signal_beside_a_silent_connection_ends_the_wait() {
    let _turn = beside_others();
    let told = |signal: i32, options: &[&str], delay: u64| {
        let worker = Worker::ours(options);
        let process = worker.running.pid();
        until_asleep(process);
        let _silent = worker.connect();
        until("it to be accepted", PATIENCE, || (sockets(process) > 1).then_some(()));
        thread::sleep(Duration::from_millis(delay));
        until_asleep(process);
        worker.signal(signal);
        until("the end of Accept", PATIENCE, || worker.results().first().copied())
    };
    for delay in [0, 5, 40] {
        assert_eq!(told(libc::SIGUSR2, &["-i"], delay), -libc::EINTR);
        assert_eq!(told(libc::SIGTERM, &[], delay), -libc::EINTR);
        assert_eq!(told(libc::SIGUSR2, &["-s"], delay), -libc::EINTR);
    }
}
