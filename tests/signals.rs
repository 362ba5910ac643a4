//! Signals: they change no byte, and a shutdown request reaches every thread immediately.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use testkit::turns::{alone, beside_others};
use testkit::wire::{Connection, begin, is_complete, output, request};
use testkit::{
    Library, Listen, PATIENCE, Worker, is_at, need, signal, until, until_asleep, until_in,
};

const EINTR: i32 = -libc::EINTR;

/// The longest time from the signal to the end of every wait.
const AT_ONCE: Duration = Duration::from_millis(100);

/// The time a request takes when the signal arrives in the middle of it.
const SLEEP: Duration = Duration::from_millis(400);

/// The time for which the tests check that the original does not end.
const IN_VAIN: Duration = Duration::from_millis(700);

/// The signals that request a shutdown, with the options that make the program treat them so.
const WISHES: [(i32, &[&str]); 3] =
    [(libc::SIGTERM, &[]), (libc::SIGUSR1, &[]), (libc::SIGUSR2, &["-s"])];

fn slow(worker: &Worker, keep: bool) -> Connection {
    let mut connection = worker.connect();
    ask_slowly(&mut connection, keep);
    connection
}

fn ask_slowly(connection: &mut Connection, keep: bool) {
    let sleep = SLEEP.as_millis().to_string();
    connection.send(&request(1, keep, &[("SLEEP", &sleep)], b"whole"));
}

/// Returns the threads of a process, the first one at the front.
fn threads(worker: &Worker, count: usize) -> Vec<u32> {
    until("the threads", PATIENCE, || {
        let tasks = fs::read_dir(format!("/proc/{}/task", worker.running.pid())).ok()?;
        let numbers = tasks.map(|task| task.ok()?.file_name().to_str()?.parse().ok());
        let mut list: Vec<u32> = numbers.collect::<Option<_>>()?;
        list.sort_unstable();
        (list.len() == count).then_some(list)
    })
}

// ---- a signal every millisecond ----

fn body(size: usize, seed: usize) -> Vec<u8> {
    (0..size).map(|at| (at.wrapping_mul(31) ^ (at >> 8) ^ seed) as u8).collect()
}

/// Sends a request whose response is its body, in pieces so that both sides wait often. Returns
/// whether the response is right.
fn echoed(mut connection: Connection, size: usize, seed: usize) -> bool {
    let bytes = request(1, false, &[("SEED", &seed.to_string())], &body(size, seed));
    for piece in bytes.chunks(30_000) {
        connection.send(piece);
        thread::sleep(Duration::from_millis(2));
    }
    output(&connection.until_closed()) == body(size, seed)
}

#[test]
fn a_storm_of_signals_changes_no_byte() {
    let _turn = beside_others();
    for options in [&["-a"][..], &["-a", "-t", "4"], &["-a", "-p", "2"]] {
        for listen in [Listen::Unix, Listen::Tcp] {
            let worker = Worker::start(Library::Ours, listen, options);
            thread::scope(|scope| {
                for client in 0..3 {
                    let worker = &worker;
                    scope.spawn(move || {
                        for (round, size) in [0, 1, 5000, 150_000, 60_000].into_iter().enumerate() {
                            assert!(echoed(worker.connect(), size, client * 10 + round), "{size}");
                        }
                    });
                }
            });
            assert_eq!(worker.results(), [], "a signal ended a wait");
        }
    }
}

#[test]
fn a_storm_of_signals_changes_no_large_answer() {
    let _turn = beside_others();
    for listen in [Listen::Unix, Listen::Tcp] {
        let worker = Worker::start(Library::Ours, listen, &["-a"]);
        let mut connection = worker.connect();
        connection.send(&request(1, true, &[("SIZE", "8000000")], b""));
        // The test does not read for a while, so that the program waits in the middle of a write.
        thread::sleep(Duration::from_millis(50));
        let answer = output(&connection.until_end_of(1));
        assert_eq!(answer.len(), 8_000_000);
        assert!(answer.iter().all(|byte| *byte == b'x'));
    }
}

#[test]
fn a_storm_of_signals_cuts_what_the_original_reads() {
    let _turn = beside_others();
    let worker = Worker::start(Library::Original, Listen::Unix, &["-a"]);
    let end = Instant::now() + Duration::from_secs(3);
    let mut seed = 0;
    while echoed(worker.connect(), 150_000, seed) {
        seed += 1;
        assert!(Instant::now() < end, "the original does it right");
    }
}

// ---- shutting down ----

/// Asserts that the program ends soon after the signal, and that every thread returns -EINTR.
fn ends_at_once(mut worker: Worker, since: Instant, threads: usize) {
    let status = worker.running.wait(PATIENCE).expect("the program goes on");
    let took = since.elapsed();
    assert_eq!(status.code(), Some(0));
    assert_eq!(worker.results(), vec![EINTR; threads]);
    assert!(took < AT_ONCE, "ended {took:?} after the signal");
}

#[test]
fn every_waiting_thread_returns_at_once() {
    let _turn = alone();
    for (number, options) in WISHES {
        for (count, more) in [(1, &[][..]), (1, &["-t", "1"]), (8, &["-t", "8"])] {
            for idle in [0, 3] {
                let worker = Worker::ours(&[options, more].concat());
                let mut connections: Vec<_> = (0..idle).map(|_| worker.just_kept()).collect();
                worker.until_all_wait(if more.is_empty() { 1 } else { count + 1 });
                let start = Instant::now();
                worker.signal(number);
                ends_at_once(worker, start, count);
                for connection in &mut connections {
                    assert_eq!(connection.until_closed(), []);
                }
            }
        }
    }
}

/// With several threads, the first thread takes the signal and waits for the others.
#[test]
fn every_thread_in_os_accept_returns_at_once() {
    let _turn = alone();
    for listen in [Listen::Unix, Listen::Tcp, Listen::Own] {
        for (number, options) in WISHES {
            for (count, more) in [(1, &["-A"][..]), (2, &["-A", "-t", "2"])] {
                let worker = Worker::start(Library::Ours, listen, &[options, more].concat());
                for _ in 0..3 {
                    let mut connection = worker.connect();
                    connection.send(&begin(1, false));
                    assert_eq!(connection.until_closed().len(), 1);
                }
                worker.until_all_wait(if count == 1 { 1 } else { count + 1 });
                let start = Instant::now();
                worker.signal(number);
                ends_at_once(worker, start, count);
            }
        }
    }
}

#[test]
fn idle_connections_are_closed_although_a_request_is_still_served() {
    let _turn = alone();
    let worker = Worker::ours(&["-t", "2"]);
    let mut idle = [worker.just_kept(), worker.just_kept()];
    let mut half = worker.connect();
    half.send(&request(1, false, &[], b"")[..10]);
    let mut busy = slow(&worker, false);
    worker.until_all_wait(3);
    let start = Instant::now();
    worker.signal(libc::SIGTERM);
    for idle in &mut idle {
        assert_eq!(idle.until_closed(), []);
    }
    assert_eq!(half.until_closed(), []);
    let took = start.elapsed();
    assert!(took < AT_ONCE, "closed {took:?} after the signal");
    assert_eq!(output(&busy.until_closed()), b"whole");
}

#[test]
fn the_request_in_progress_is_finished_and_the_program_ends() {
    let _turn = alone();
    for (number, options) in WISHES {
        for more in [&[][..], &["-t", "4"]] {
            for keep in [false, true] {
                let mut worker = Worker::ours(&[options, more].concat());
                let others = if more.is_empty() { 0 } else { 3 };
                let mut connection = slow(&worker, keep);
                worker.until_all_wait(if more.is_empty() { 1 } else { 5 });
                thread::sleep(SLEEP / 4);
                let start = Instant::now();
                worker.signal(number);
                until("the other threads' ends", PATIENCE, || {
                    (worker.results().len() >= others).then_some(())
                });
                let took = start.elapsed();
                assert!(took < AT_ONCE, "the other threads ended after {took:?}");
                let records = connection.until_closed();
                assert!(is_complete(&records));
                assert_eq!(output(&records), b"whole");
                let answered = Instant::now();
                let status = worker.running.wait(PATIENCE).expect("the program goes on");
                assert!(answered.elapsed() < AT_ONCE);
                assert_eq!(status.code(), Some(0));
                assert_eq!(worker.results(), vec![EINTR; others + 1]);
            }
        }
    }
}

#[test]
fn a_request_whose_body_is_still_coming_is_finished() {
    let _turn = beside_others();
    let finished = |library| {
        let worker = Worker::start(library, Listen::Unix, &[]);
        let mut connection = worker.connect();
        let bytes = request(1, false, &[], b"the whole body");
        let (first, rest) = bytes.split_at(bytes.len() - 12);
        connection.send(first);
        until_asleep(worker.running.pid());
        thread::sleep(Duration::from_millis(20));
        worker.signal(libc::SIGTERM);
        thread::sleep(Duration::from_millis(20));
        connection.send(rest).half_close();
        let records = connection.within(Duration::from_secs(3));
        output(&records) == b"the whole body" && is_complete(&records)
    };
    assert!(finished(Library::Ours));
    assert!(!finished(Library::Original), "the original does it right");
}

/// Waits until a thread of the program waits for open connections and not for new ones.
fn until_it_waits_for_some(worker: &Worker) {
    until_in(worker.running.pid(), &[libc::SYS_poll]);
}

#[test]
fn everybody_who_is_connected_is_served_although_the_signal_comes_first() {
    let _turn = beside_others();
    let body = |client: usize| format!("from client {client}");
    for options in [&[][..], &["-t", "1"], &["-t", "3"]] {
        for first in 0..4 {
            let worker = Worker::ours(options);
            let mut clients: Vec<_> = (0..3).map(|_| worker.connect()).collect();
            // This connection comes after the others: it is answered, so they have been accepted.
            clients.push(worker.just_kept());
            worker.signal(libc::SIGTERM);
            until_it_waits_for_some(&worker);
            for client in (first..4).chain(0..first) {
                clients[client].send(&request(1, true, &[], body(client).as_bytes()));
            }
            for (number, client) in clients.iter_mut().enumerate() {
                let records = client.until_closed();
                assert!(is_complete(&records), "client {number}, {options:?}: {records:?}");
                assert_eq!(output(&records), body(number).as_bytes());
            }
        }
    }
}

#[test]
fn the_last_requests_are_served_at_the_same_time() {
    let _turn = alone();
    for library in Library::BOTH {
        let worker = Worker::start(library, Listen::Unix, &["-t", "4"]);
        let mut clients: Vec<_> = (0..4).map(|_| worker.just_kept()).collect();
        worker.until_all_wait(5);
        worker.signal(libc::SIGTERM);
        if library == Library::Ours {
            // Each thread of the original still waits for a connection of its own.
            until_it_waits_for_some(&worker);
        }
        let start = Instant::now();
        clients.iter_mut().for_each(|client| ask_slowly(client, true));
        for client in &mut clients {
            let records = client.until_end_of(1);
            assert_eq!(output(&records), b"whole", "{library:?}");
        }
        let took = start.elapsed();
        assert!(took < 2 * SLEEP, "{library:?}: answered after {took:?}");
    }
}

#[test]
fn a_signal_just_before_the_wait_is_not_lost() {
    let _turn = alone();
    for (number, options) in WISHES {
        for (count, more) in [(1, &[][..]), (2, &["-t", "2"])] {
            for round in 0..25 {
                let worker = Worker::ours(&[options, more].concat());
                let keep = round % 2 == 1;
                let mut connection = worker.connect();
                connection.send(&request(1, keep, &[], b"body"));
                // The program is between the response and its next wait.
                connection.until_end_of(1);
                for _ in 0..round * 40 {
                    std::hint::spin_loop();
                }
                let start = Instant::now();
                worker.signal(number);
                drop(connection);
                ends_at_once(worker, start, count);
            }
        }
    }
}

#[test]
fn a_signal_before_the_first_wait_is_not_lost() {
    let _turn = beside_others();
    // strace holds the program back just before it waits, while the signal is pending.
    need("strace", "/usr/bin/strace");
    for call in ["accept4", "epoll_wait"] {
        let more: &[&str] = if call == "accept4" { &["-s"] } else { &["-s", "-t", "1"] };
        let inject = format!("inject={call}:delay_enter=100000");
        let trace = format!("trace={call}");
        let strace = ["strace", "-f", "-qq", "-o", "trace", "-e", &trace, "-e", &inject];
        let mut worker = Worker::start_in(&strace, Library::Ours, Listen::Unix, more);
        let program = until("the program to wait", PATIENCE, || {
            let path = format!("/proc/{0}/task/{0}/children", worker.running.pid());
            let text = fs::read_to_string(path).ok()?;
            let program = text.split_whitespace().next_back()?.parse().ok()?;
            let tasks = fs::read_dir(format!("/proc/{program}/task")).ok()?;
            let held = tasks.into_iter().any(|task| {
                // The program has to be held at that call.
                task.is_ok_and(|task| is_held_at(&task.path(), call))
            });
            held.then_some(program)
        });
        signal(program, libc::SIGUSR2);
        let status = worker.running.wait(PATIENCE).expect("the program goes on");
        assert_eq!(status.code(), Some(0), "{call}");
        assert_eq!(worker.results(), [EINTR], "{call}");
    }
}

/// Returns whether a tracer holds a thread at the entry of a system call.
fn is_held_at(task: &Path, call: &str) -> bool {
    let number = if call == "accept4" { libc::SYS_accept4 } else { libc::SYS_epoll_wait };
    testkit::state(task) == Some('t') && is_at(task, number)
}

#[test]
fn other_threads_of_the_original_wait_on() {
    let _turn = beside_others();
    for options in [&["-t", "3"][..], &["-t", "3", "-A"]] {
        let mut worker = Worker::start(Library::Original, Listen::Unix, options);
        worker.until_all_wait(4);
        worker.signal(libc::SIGTERM);
        assert!(worker.running.wait(IN_VAIN).is_none(), "the original does it right");
    }
}

// ---- FCGI_FAIL_ACCEPT_ON_INTR ----

fn signal_thread(worker: &Worker, thread: u32, number: i32) {
    let process = worker.running.pid() as libc::c_long;
    // SAFETY: no pointer is passed; the thread belongs to the test's own program.
    let result = unsafe { libc::syscall(libc::SYS_tgkill, process, thread, number) };
    assert_eq!(result, 0);
}

#[test]
fn with_the_flag_a_signal_ends_the_wait_of_its_thread() {
    let _turn = alone();
    for library in Library::BOTH {
        let worker = Worker::start(library, Listen::Unix, &["-i"]);
        worker.until_all_wait(1);
        let start = Instant::now();
        worker.signal(libc::SIGUSR2);
        ends_at_once(worker, start, 1);

        let worker = Worker::start(library, Listen::Unix, &["-i", "-t", "3"]);
        worker.until_all_wait(4);
        signal_thread(&worker, *threads(&worker, 4).last().unwrap(), libc::SIGUSR2);
        until("one thread's end", PATIENCE, || (worker.results() == [EINTR]).then_some(()));
        // The other threads go on.
        threads(&worker, 3);
        let mut connection = worker.connect();
        connection.send(&request(1, false, &[], b"body")).half_close();
        assert_eq!(output(&connection.until_closed()), b"body");
        assert_eq!(worker.results(), [EINTR]);
    }
}

#[test]
fn with_the_flag_a_signal_also_ends_a_wait_for_several() {
    let _turn = alone();
    let worker = Worker::ours(&["-i"]);
    let _idle = [worker.just_kept(), worker.just_kept()];
    worker.until_all_wait(1);
    let start = Instant::now();
    worker.signal(libc::SIGUSR2);
    ends_at_once(worker, start, 1);
}

// ---- accept fails for a while ----

#[test]
fn errors_that_pass_are_waited_out() {
    let _turn = beside_others();
    need("strace", "/usr/bin/strace");
    for error in ["ECONNABORTED", "EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "EPROTO"] {
        for threads in [&[][..], &["-t", "1"]] {
            let inject = format!("inject=accept4:error={error}:when=1..3");
            let strace =
                ["strace", "-f", "-qq", "-o", "trace", "-e", "trace=accept4", "-e", &inject];
            let worker = Worker::start_in(&strace, Library::Ours, Listen::Unix, threads);
            for _ in 0..3 {
                let mut connection = worker.connect();
                connection.send(&request(1, false, &[], b"body"));
                assert_eq!(output(&connection.until_closed()), b"body", "{error}");
            }
            assert_eq!(worker.results(), [], "{error}");
        }
    }
}

#[test]
fn a_shortage_of_descriptors_is_waited_out_without_spinning() {
    let _turn = alone();
    // Besides 0, 1 and 2, epoll and the wake-up there is room for five connections, each with a
    // request in progress.
    let worker = Worker::ours(&["-f", "11", "-t", "6"]);
    let whole = request(1, false, &[], b"the whole body");
    let (first, rest) = whole.split_at(whole.len() - 12);
    let mut busy: Vec<Connection> = (0..5).map(|_| worker.connect()).collect();
    for busy in &mut busy {
        busy.send(first);
    }
    worker.until_all_wait(7);
    let mut waiting = worker.connect();
    waiting.send(&request(1, false, &[], b"late"));
    let before = worker.processor_time();
    assert!(waiting.is_silent(Duration::from_secs(1)));
    let used = worker.processor_time() - before;
    assert!(used <= Duration::from_millis(100), "{used:?} of processor time in a second");
    for busy in &mut busy {
        busy.send(rest).half_close();
        assert_eq!(output(&busy.until_closed()), b"the whole body");
    }
    assert_eq!(output(&waiting.until_closed()), b"late");
}

#[test]
fn a_shortage_of_descriptors_is_ended_at_the_cost_of_the_oldest_idle_connection() {
    let _turn = alone();
    for threads in [&[][..], &["-t", "4"]] {
        // There is room for five connections, which are all idle.
        let worker = Worker::ours(&[&["-f", "11"], threads].concat());
        let mut idle: Vec<Connection> = (0..5).map(|_| worker.just_kept()).collect();
        let start = Instant::now();
        let mut new = worker.connect();
        new.send(&request(1, false, &[], b"new"));
        assert_eq!(output(&new.until_closed()), b"new");
        assert!(start.elapsed() < AT_ONCE);
        // One connection has made room, however many threads have seen the new one wait.
        let gone: Vec<bool> = idle.iter_mut().map(Connection::has_ended).collect();
        assert_eq!(gone.iter().filter(|gone| **gone).count(), 1, "{threads:?}");
        // With several threads it need not be the oldest.
        assert!(gone[0] || !threads.is_empty());
        for idle in idle.iter_mut().filter(|idle| !idle.closed) {
            idle.send(&request(1, true, &[], b"again"));
            assert_eq!(output(&idle.until_end_of(1)), b"again");
        }
    }
}

#[test]
fn a_shortage_of_descriptors_is_ended_at_the_cost_of_silent_peers() {
    let _turn = alone();
    let worker = Worker::ours(&["-f", "10"]);
    let _silent: Vec<Connection> = (0..8).map(|_| worker.connect()).collect();
    let start = Instant::now();
    for _ in 0..3 {
        let mut connection = worker.connect();
        connection.send(&request(1, false, &[], b"body"));
        assert_eq!(output(&connection.until_closed()), b"body");
    }
    assert!(start.elapsed() < Duration::from_secs(1), "after {:?}", start.elapsed());
}

#[test]
fn a_shortage_of_descriptors_ends_the_original() {
    let _turn = beside_others();
    // accept looks for a free descriptor before it looks for a connection.
    let mut worker = Worker::start(Library::Original, Listen::Unix, &["-f", "3"]);
    let status = worker.running.wait(IN_VAIN);
    assert!(status.is_some(), "the original does it right");
    assert_eq!(worker.results(), [-libc::EMFILE]);
}
