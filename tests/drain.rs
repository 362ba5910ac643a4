//! `LIBFCGI_DRAIN`: how long a shutdown waits for open connections.

use std::thread;
use std::time::{Duration, Instant};

use testkit::turns::{alone, beside_others};
use testkit::wire::{Connection, begin, is_complete, params, request, stdin, text};
use testkit::{Library, Listen, PATIENCE, Worker, until_in};

/// The longest time from the end of the last connection to the end of the program.
const AT_ONCE: Duration = Duration::from_millis(100);

/// The longest time that the web server keeps an unused connection.
const KEEP_ALIVE: Duration = Duration::from_millis(500);

/// Starts a program with this setting, in milliseconds.
fn with_drain(drain: u32, listen: Listen, options: &[&str]) -> Worker {
    let setting = format!("LIBFCGI_DRAIN={drain}");
    Worker::start_in(&["env", &setting], Library::Ours, listen, options)
}

/// Returns whether the request is answered and the connection then ends.
fn is_last_answer(connection: &mut Connection, body: &str) -> bool {
    let records = connection.until_closed();
    is_complete(&records) && text(&records) == body
}

/// Waits until the program waits only for open connections.
fn until_it_drains(worker: &Worker) {
    until_in(worker.running.pid(), &[libc::SYS_poll]);
}

/// Asserts that the program ends in time, and that every thread returns -EINTR.
fn ends_at_once(worker: &mut Worker, threads: usize) {
    let since = Instant::now();
    let status = worker.running.wait(PATIENCE).expect("the program goes on");
    let took = since.elapsed();
    assert_eq!(status.code(), Some(0));
    assert_eq!(worker.results(), vec![-libc::EINTR; threads]);
    assert!(took < AT_ONCE, "ended after {took:?}");
}

/// Uses a kept connection as the web server does: it sends a request at some point, in one piece or
/// three, or closes the connection after its keep-alive time.
fn use_once(mut connection: Connection, number: u32, of: u32) {
    thread::sleep(KEEP_ALIVE * number / of);
    let body = format!("from {number}");
    match number % 4 {
        0 => return,
        1 => {
            for piece in [begin(2, true), params(2, &[("NAME", "value")])] {
                connection.send(&piece);
                thread::sleep(Duration::from_millis(5));
            }
            connection.send(&stdin(2, body.as_bytes()));
        }
        _ => {
            connection.send(&request(2, true, &[], body.as_bytes()));
        }
    }
    assert!(is_last_answer(&mut connection, &body), "request {number} is lost");
}

/// A web server whose keep-alive time is shorter than the setting loses no request.
#[test]
fn no_request_within_the_time_is_lost_and_nothing_is_waited_for_afterwards() {
    let _turn = alone();
    const CONNECTIONS: u32 = 24;
    for (options, threads) in [(&[][..], 1), (&["-t", "1"], 1), (&["-t", "5"], 5)] {
        for listen in [Listen::Unix, Listen::Tcp] {
            let mut worker = with_drain(800, listen, options);
            let connections: Vec<_> = (0..CONNECTIONS).map(|_| worker.just_kept()).collect();
            worker.signal(libc::SIGTERM);
            until_it_drains(&worker);
            thread::scope(|scope| {
                for (number, connection) in (0..).zip(connections) {
                    scope.spawn(move || use_once(connection, number, CONNECTIONS));
                }
            });
            ends_at_once(&mut worker, threads);
        }
    }
}

/// One thread was waiting for these connections. Their requests arrive while it is busy.
#[test]
fn no_request_waits_for_a_busy_thread_while_another_one_is_free() {
    let _turn = beside_others();
    let worker = with_drain(800, Listen::Unix, &["-t", "3"]);
    let mut connections: Vec<_> = (0..3).map(|_| worker.just_kept()).collect();
    worker.signal(libc::SIGTERM);
    until_it_drains(&worker);
    let mut busy = connections.pop().unwrap();
    busy.send(&request(2, true, &[("SLEEP", "1000")], b"busy"));
    until_in(worker.running.pid(), &[libc::SYS_clock_nanosleep]);
    // After this time the connections are checked less often.
    thread::sleep(Duration::from_millis(200));
    for connection in &mut connections {
        connection.send(&request(2, true, &[], b"quick"));
        assert!(is_last_answer(connection, "quick"));
    }
    assert!(busy.is_silent(Duration::from_millis(1)), "answered after the busy one");
    assert!(is_last_answer(&mut busy, "busy"));
}

#[test]
fn silent_connections_are_closed_after_that_time() {
    let _turn = alone();
    for (options, threads) in [(&[][..], 1), (&["-t", "16"], 16)] {
        let mut worker = with_drain(600, Listen::Unix, options);
        let mut silent = [worker.just_kept(), worker.just_kept(), worker.connect()];
        let mut refused = worker.connect();
        refused.send(&begin(1, true)[..10]);
        // This connection comes after the others, so they have been accepted.
        drop(worker.just_kept());
        let used = worker.processor_time();
        let start = Instant::now();
        worker.signal(libc::SIGTERM);
        until_it_drains(&worker);
        assert!(silent[0].is_silent(Duration::from_millis(300)), "closed too early");
        let used = worker.processor_time() - used;
        assert!(used <= Duration::from_millis(100), "{used:?} on the processor");
        for connection in silent.iter_mut().chain([&mut refused]) {
            assert_eq!(connection.until_closed(), []);
        }
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(600), "closed after {took:?}");
        assert!(took < Duration::from_millis(600) + AT_ONCE, "closed after {took:?}");
        ends_at_once(&mut worker, threads);
    }
}

/// With 0, requests that have arrived are served, and the shutdown waits for nothing else.
#[test]
fn without_time_only_what_is_there_is_served() {
    let _turn = alone();
    let mut fastest = PATIENCE;
    for _ in 0..5 {
        let mut worker = with_drain(0, Listen::Unix, &[]);
        let [mut busy, mut early, mut silent] = [(); 3].map(|()| worker.just_kept());
        busy.send(&request(2, true, &[("SLEEP", "50")], b"busy"));
        until_in(worker.running.pid(), &[libc::SYS_clock_nanosleep]);
        early.send(&request(2, true, &[], b"early"));
        worker.signal(libc::SIGTERM);
        assert!(is_last_answer(&mut busy, "busy"));
        assert!(is_last_answer(&mut early, "early"));
        let start = Instant::now();
        assert_eq!(silent.until_closed(), []);
        fastest = fastest.min(start.elapsed());
        ends_at_once(&mut worker, 1);
    }
    assert!(fastest < Duration::from_millis(30), "closed after {fastest:?}");
}

#[test]
fn a_head_that_has_begun_has_as_much_time_again() {
    let _turn = alone();
    const DRAIN: Duration = Duration::from_millis(400);
    let mut worker = with_drain(400, Listen::Unix, &[]);
    let mut slow = worker.just_kept();
    let mut endless = worker.just_kept();
    worker.signal(libc::SIGTERM);
    until_it_drains(&worker);
    let start = Instant::now();
    let whole = request(2, true, &[("NAME", "value")], b"slow");
    thread::sleep(DRAIN * 3 / 4);
    slow.send(&whole[..20]);
    for byte in request(2, true, &[("NAME", &"x".repeat(1000))], b"").chunks(1) {
        endless.send(byte);
        if !slow.closed && start.elapsed() > DRAIN * 5 / 4 {
            slow.send(&whole[20..]);
            assert!(is_last_answer(&mut slow, "slow"));
        }
        if endless.has_ended() {
            break;
        }
        thread::sleep(Duration::from_millis(5));
    }
    let took = start.elapsed();
    assert!(endless.closed && slow.closed);
    assert!(took < 2 * DRAIN + AT_ONCE, "closed after {took:?}");
    ends_at_once(&mut worker, 1);
}

/// A request in progress is the last one of its connection, whatever the setting.
#[test]
fn the_connection_of_a_request_in_progress_ends_with_its_answer() {
    let _turn = alone();
    for threads in [1, 3] {
        let mut worker = with_drain(60_000, Listen::Tcp, &["-t", &threads.to_string()]);
        let mut busy = worker.just_kept();
        busy.send(&request(2, true, &[("SLEEP", "200")], b"busy"));
        until_in(worker.running.pid(), &[libc::SYS_clock_nanosleep]);
        worker.signal(libc::SIGTERM);
        assert!(is_last_answer(&mut busy, "busy"));
        ends_at_once(&mut worker, threads);
    }
}
