//! Threads that each hold a connection: no other client waits long because of them, and whatever
//! ends a wait ends a hold too.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::given_back::{ask, opened, start};
use super::{AT_MOST, answered, output};
use testkit::turns::{alone, beside_others};
use testkit::wire::{Connection, request};
use testkit::{Library, Listen, PATIENCE, Worker, until};

/// Sends requests on each connection until `is_over`. Returns the number of requests on each.
fn ping_pong(kept: &mut [Connection], is_over: impl Fn() -> bool + Sync) -> Vec<usize> {
    thread::scope(|scope| {
        let each = kept.iter_mut().map(|connection| {
            let is_over = &is_over;
            scope.spawn(move || {
                let mut count = 0;
                while !is_over() {
                    ask(connection, &[]);
                    count += 1;
                }
                count
            })
        });
        each.collect::<Vec<_>>().into_iter().map(|one| one.join().unwrap()).collect()
    })
}

fn ping_pong_for(kept: &mut [Connection], milliseconds: u64) -> Vec<usize> {
    let end = Instant::now() + Duration::from_millis(milliseconds);
    ping_pong(kept, || Instant::now() >= end)
}

fn several(worker: &Worker, connections: usize) -> Vec<Connection> {
    (0..connections).map(|_| opened(worker)).collect()
}

/// All threads hold. Some get a slow request, and the clients of the others pause. One of the
/// others serves a client that connects then.
#[test]
fn newcomers_do_not_wait_for_slow_requests() {
    let _turn = alone();
    let worker = start(Library::Ours, &["-t", "4"]);
    let mut kept = several(&worker, 4);
    for slow in 1..=3 {
        let mut waits: Vec<Duration> = Vec::new();
        for _ in 0..10 {
            ping_pong_for(&mut kept, 20);
            for connection in &mut kept[..slow] {
                connection.send(&request(1, true, &[("SLEEP", "100")], b""));
            }
            thread::sleep(Duration::from_micros(200));
            let start = Instant::now();
            ask(&mut worker.connect(), &[]);
            waits.push(start.elapsed());
            for connection in &mut kept[..slow] {
                output(connection, 1, start);
            }
        }
        waits.sort();
        // 5 ms, plus what a busy machine adds.
        assert!(waits[8] < Duration::from_millis(40), "{slow} slow: {waits:?}");
    }
}

#[test]
fn with_more_clients_than_threads_each_has_its_share() {
    let _turn = beside_others();
    let worker = start(Library::Ours, &["-t", "2"]);
    let counts = ping_pong_for(&mut several(&worker, 3), 1000);
    let all: usize = counts.iter().sum();
    assert!(counts.iter().all(|count| count * 10 >= all), "{counts:?}");
}

/// All threads hold when SIGTERM arrives. A request sent just before is answered, and all threads
/// leave.
#[test]
fn all_threads_leave_soon() {
    let _turn = alone();
    for _ in 0..5 {
        let mut worker = start(Library::Ours, &["-t", "4"]);
        let mut kept = several(&worker, 4);
        ping_pong_for(&mut kept, 20);
        let start = Instant::now();
        kept[0].send(&request(1, true, &[], b""));
        worker.signal(libc::SIGTERM);
        output(&mut kept[0], 1, start);
        assert!(worker.running.wait(PATIENCE).is_some());
        // Connections that may have a request on the way get 60 ms.
        assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
    }
}

/// Another thread closes the descriptor of a held connection, or puts a file in its place. The file
/// stays open, the connection is over, and the next connection with that number is served.
#[test]
fn a_descriptor_that_changes_its_meaning_while_it_is_held() {
    let _turn = beside_others();
    let worker = start(Library::Ours, &["-t", "2"]);
    let mut other = opened(&worker);
    let descriptors = |connection: &mut Connection| -> usize {
        let answer = ask(connection, &[("COUNT", "")]);
        answer.split_once(' ').unwrap().0.parse().unwrap()
    };
    for round in 0..20 {
        let (deed, stays) = if round % 2 == 0 { ("SHUT", 0) } else { ("REPLACE", 1) };
        let before = descriptors(&mut other);
        let mut held = opened(&worker);
        ping_pong_for(std::slice::from_mut(&mut held), 5);
        let fd = ask(&mut held, &[("FD", "")]);
        ask(&mut other, &[(deed, &fd)]);
        until("its end", PATIENCE, || held.has_ended().then_some(()));
        let mut next = several(&worker, 2);
        ping_pong_for(&mut next, 20);
        drop(next);
        until("their ends", PATIENCE, || (descriptors(&mut other) == before + stays).then_some(()));
    }
}

/// Sends a signal to each thread of the program that holds, which means that it is in poll.
fn signal_holders(worker: &Worker, most: usize) -> usize {
    let process = worker.running.pid();
    let mut sent = 0;
    for task in fs::read_dir(format!("/proc/{process}/task")).unwrap().map(Result::unwrap) {
        let call = fs::read_to_string(task.path().join("syscall")).unwrap_or_default();
        if sent == most || call.split_whitespace().next() != Some(&*libc::SYS_ppoll.to_string()) {
            continue;
        }
        let thread: libc::c_long = task.file_name().to_str().unwrap().parse().unwrap();
        // SAFETY: no pointer is passed; the thread belongs to the test's own program.
        unsafe { libc::syscall(libc::SYS_tgkill, process as libc::c_long, thread, libc::SIGUSR2) };
        sent += 1;
    }
    sent
}

/// Keeps clients sending requests while `then` acts on the threads that serve them.
fn while_they_ask(worker: &Worker, kept: &mut [Connection], then: impl FnOnce()) {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| ping_pong(kept, || is_over.load(Ordering::Relaxed)));
        then();
        let end = Instant::now() + Duration::from_millis(300);
        while Instant::now() < end {
            ask(&mut worker.connect(), &[]);
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

/// Accept returns and is called again. No request is lost.
#[test]
fn a_signal_ends_a_hold_and_loses_nothing() {
    let _turn = beside_others();
    let worker = start(Library::Ours, &["-i", "-t", "2"]);
    let mut kept = several(&worker, 2);
    while_they_ask(&worker, &mut kept, || {
        let mut sent = 0;
        until("signals for threads that hold", PATIENCE, || {
            sent += signal_holders(&worker, 2);
            (sent >= 50).then_some(())
        });
    });
    ping_pong_for(&mut kept, 20);
}

/// A thread is cancelled while it holds, or leaves Accept by longjmp. The remaining threads serve
/// its connection, and new clients notice nothing.
#[test]
fn a_thread_that_never_comes_back_from_a_hold_takes_nothing_with_it() {
    let _turn = beside_others();
    for (options, threads) in [(["-c", "-t", "3"], 3), (["-j", "-t", "3"], 3)] {
        for _ in 0..3 {
            let worker = start(Library::Ours, &options);
            let mut kept = several(&worker, threads);
            while_they_ask(&worker, &mut kept, || {
                thread::sleep(Duration::from_millis(20));
                if options[0] == "-c" {
                    worker.signal(libc::SIGUSR2);
                } else {
                    // All threads but the last.
                    let mut sent = 0;
                    until("a thread that holds", PATIENCE, || {
                        sent += signal_holders(&worker, 1);
                        (sent >= threads - 1).then_some(())
                    });
                }
                let process = worker.running.pid();
                until("its end", PATIENCE, || {
                    let left = fs::read_dir(format!("/proc/{process}/task")).unwrap().count();
                    (left <= threads).then_some(())
                });
            });
            ping_pong_for(&mut kept, 20);
            opened(&worker);
        }
    }
}

/// A silent connection is closed at its deadline even if every thread always has work.
#[test]
fn a_deadline_is_kept_while_all_threads_are_busy() {
    let _turn = alone();
    let around = ["env", "LIBFCGI_FIRST_BYTE_TIMEOUT=300"];
    let worker =
        Worker::start_program("given_back", &around, Library::Ours, Listen::Tcp, &["-t", "2"]);
    let mut kept = several(&worker, 2);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| ping_pong(&mut kept, || over.load(Ordering::Relaxed)));
        let (start, mut silent) = (Instant::now(), worker.connect());
        until("its end", PATIENCE, || silent.has_ended().then_some(()));
        over.store(true, Ordering::Relaxed);
        assert!(start.elapsed() >= Duration::from_millis(290), "{:?}", start.elapsed());
        assert!(start.elapsed() < AT_MOST, "{:?}", start.elapsed());
    });
}

/// The program's timeout on its listen socket keeps counting while a thread holds.
#[test]
fn the_listen_sockets_time_limit_counts_in_a_hold() {
    let _turn = alone();
    let mut worker = Worker::ours(&["-w", "300", "-t", "1"]);
    answered(worker.connect(), "body");
    let mut kept = worker.connect();
    let end = Instant::now() + Duration::from_millis(400);
    while Instant::now() < end {
        let start = Instant::now();
        kept.send(&super::echo(1, true, "body"));
        output(&mut kept, 1, start);
    }
    assert_eq!(worker.results(), []);
    let start = Instant::now();
    assert!(worker.running.wait(PATIENCE).is_some());
    assert!(start.elapsed() >= Duration::from_millis(250) && start.elapsed() < AT_MOST);
    assert_eq!(worker.results(), [-libc::EAGAIN]);
}
