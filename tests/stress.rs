//! Preforked processes under load from bursts of clients, with a connection for each request or a
//! kept one. No request may wait long, and none may be lost.
//!
//! LIBFCGI_STRESS_SECONDS sets the total time (6 by default).

use std::env;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use testkit::wire::{Connection, request, text};
use testkit::{Library, Listen, Numbers, Worker, signal};

const CLIENTS: usize = 32;

/// The longest that a request may take.
const AT_MOST: Duration = Duration::from_secs(1);

/// The numbers of processes and threads, and the kind of listen socket.
const SHAPES: [(&[&str], Listen); 4] = [
    (&["-p", "4"], Listen::Unix),
    (&["-p", "2", "-t", "4"], Listen::Unix),
    (&["-p", "4"], Listen::Tcp),
    (&["-p", "2", "-t", "4"], Listen::Own),
];

fn duration() -> Duration {
    let seconds = env::var("LIBFCGI_STRESS_SECONDS").map_or(6.0, |text| text.parse().unwrap());
    Duration::from_secs_f64(seconds)
}

/// Sends a request, checks that the response is its body, and returns how long it took.
fn ask(connection: &mut Connection, keep: bool, list: &[(&str, &str)], body: &str) -> Duration {
    let start = Instant::now();
    connection.send(&request(1, keep, list, body.as_bytes()));
    let records = connection.until_end_of(1);
    assert_eq!(text(&records), body);
    start.elapsed()
}

/// Sends bursts of requests until `end`, some on new connections and some on a kept one that it may
/// close and replace. Returns the longest time of a request and the number of requests.
fn client(worker: &Worker, number: usize, end: Instant) -> (Duration, usize) {
    let mut numbers = Numbers(number as u64);
    let (mut longest, mut count) = (Duration::ZERO, 0);
    let mut kept: Option<Connection> = None;
    while Instant::now() < end {
        for _ in 0..=numbers.below(8) {
            let body = "b".repeat(numbers.below(3000));
            let took = if numbers.below(2) == 0 {
                let start = Instant::now();
                ask(&mut worker.connect(), false, &[], &body);
                start.elapsed()
            } else {
                ask(kept.get_or_insert_with(|| worker.connect()), true, &[], &body)
            };
            longest = longest.max(took);
            count += 1;
        }
        match numbers.below(20) {
            0 => kept = None,
            // It connects, sends nothing or half of a request, and closes.
            1 => drop(worker.connect()),
            2 => drop(worker.connect().send(&request(1, false, &[], b"")[..20])),
            _ => thread::sleep(Duration::from_millis(numbers.below(10) as u64)),
        }
    }
    (longest, count)
}

#[test]
fn bursts_of_clients_are_all_served_in_time() {
    for (options, listen) in SHAPES {
        let worker = Worker::start(Library::Ours, listen, options);
        let end = Instant::now() + duration() / SHAPES.len() as u32;
        let count = AtomicUsize::new(0);
        thread::scope(|scope| {
            for number in 0..CLIENTS {
                let (worker, count) = (&worker, &count);
                scope.spawn(move || {
                    let (longest, requests) = client(worker, number, end);
                    assert!(longest < AT_MOST, "{options:?} {listen:?}: {longest:?}");
                    count.fetch_add(requests, Ordering::Relaxed);
                });
            }
        });
        println!("{options:?} {listen:?}: {} requests", count.into_inner());
        assert_eq!(worker.results(), [], "a process has ended");
    }
}

/// Three of four processes get SIGTERM one after the other while clients keep coming.
#[test]
fn processes_that_end_one_after_the_other_lose_no_request() {
    for (options, listen) in
        [(&["-p", "4"][..], Listen::Unix), (&["-p", "4", "-t", "2"], Listen::Tcp)]
    {
        let worker = Worker::start(Library::Ours, listen, options);
        let processes = worker.children(4);
        let end = Instant::now() + Duration::from_millis(1500);
        thread::scope(|scope| {
            for number in 0..16 {
                let worker = &worker;
                scope.spawn(move || {
                    let mut numbers = Numbers(number as u64);
                    while Instant::now() < end {
                        let start = Instant::now();
                        ask(&mut worker.connect(), false, &[], "body");
                        let took = start.elapsed();
                        assert!(took < AT_MOST, "{options:?}: {took:?}");
                        thread::sleep(Duration::from_micros(numbers.below(2000) as u64));
                    }
                });
            }
            for process in processes.into_iter().take(3) {
                thread::sleep(Duration::from_millis(300));
                signal(process, libc::SIGTERM);
            }
        });
        assert!(worker.results().iter().all(|result| *result == -libc::EINTR));
    }
}
