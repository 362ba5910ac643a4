//! An event loop in one thread, with many clients that send and read at 1 KB/s, and a fast one beside them.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fcgi::internals::protocol::RecordType;

use super::wire::{Connection, begin, params, record, request, text};
use super::{Library, Listen, PATIENCE, Worker, until};

/// Parts of a second in which each client sends or reads a part of 1 KB.
const PARTS: usize = 10;

/// The response of the clients that read; no buffer has room for it.
const LARGE: &str = "10000000";

/// What a fast client has seen.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub requests: usize,
    pub median: Duration,
    /// 99 of 100 requests took no longer.
    pub p99: Duration,
}

/// A fast client alone and beside slow ones.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    pub alone: Seen,
    pub beside: Seen,
    /// By how many bytes the program's private memory has grown, with all slow requests in progress.
    pub grown: usize,
}

/// A client that sends its body slowly and reads what comes back, or that reads a response slowly.
struct Slow {
    stream: UnixStream,
    sends: bool,
}

impl Slow {
    /// Connects and begins a request, which the program then has in hand.
    fn begin(worker: &Worker, sends: bool) -> Self {
        let list = if sends { &[][..] } else { &[("SIZE", LARGE)] };
        let mut slow = Self { stream: worker.connect().into_stream(), sends };
        slow.stream.write_all(&[begin(1, true), params(1, list)].concat()).unwrap();
        if sends {
            slow.send_part();
        }
        // The first byte of the response: its request is in progress.
        slow.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        slow.stream.read_exact(&mut [0]).unwrap();
        slow.stream.set_nonblocking(true).unwrap();
        slow
    }

    fn send_part(&mut self) {
        let part = [b's'; 1024 / PARTS];
        self.stream.write_all(&record(RecordType::STDIN, 1, &part)).unwrap();
    }

    /// Sends and reads as much as in one part of a second.
    fn go_on(&mut self) {
        if self.sends {
            self.send_part();
        }
        match self.stream.read(&mut [0; 1024 / PARTS + 16]) {
            Ok(n) => assert!(n > 0, "the program has closed a slow connection"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
}

/// Sends requests for a time, each when the last one was answered, on new and kept connections in turn.
fn fast(worker: &Worker, time: Duration) -> Seen {
    let mut kept = worker.connect();
    let mut took = Vec::new();
    let end = Instant::now() + time;
    while Instant::now() < end {
        let start = Instant::now();
        let reply = if took.len() % 2 == 0 {
            kept.send(&request(1, true, &[], b"quick")).until_end_of(1)
        } else {
            let mut new: Connection = worker.connect();
            new.send(&request(1, false, &[], b"quick")).until_closed()
        };
        took.push(start.elapsed());
        assert_eq!(text(&reply), "quick");
    }
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100];
    Seen { requests: took.len(), median: at(50), p99: at(99) }
}

/// Returns the program's private memory in bytes.
fn memory(worker: &Worker) -> usize {
    let path = format!("/proc/{}/smaps_rollup", worker.running.pid());
    let text = fs::read_to_string(path).unwrap();
    let line = text.lines().find(|line| line.starts_with("Anonymous:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// Measures one program with a fast client for some time alone, and then beside this number of slow ones, of
/// which every second one sends and the others read.
pub fn beside_slow_clients(clients: usize, time: Duration) -> Measured {
    let mut worker = Worker::start_program("requests", &[], Library::Ours, Listen::Unix, &["-e"]);
    fast(&worker, time / 4);
    let alone = fast(&worker, time);
    let before = memory(&worker);
    let mut slow: Vec<Slow> = (0..clients).map(|n| Slow::begin(&worker, n % 2 == 0)).collect();
    let is_over = AtomicBool::new(false);
    let (beside, grown) = thread::scope(|scope| {
        scope.spawn(|| {
            let second = Duration::from_secs(1);
            let mut next = Instant::now();
            while !is_over.load(Ordering::Relaxed) {
                slow.iter_mut().for_each(Slow::go_on);
                next += second / PARTS as u32;
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        });
        let beside = fast(&worker, time);
        is_over.store(true, Ordering::Relaxed);
        (beside, memory(&worker).saturating_sub(before))
    });
    drop(slow);
    until("the program to close them", PATIENCE, || {
        let list = fs::read_dir(format!("/proc/{}/fd", worker.running.pid())).unwrap();
        (list.count() < 20).then_some(())
    });
    assert!(worker.running.ended().is_none(), "the program has ended");
    Measured { alone, beside, grown }
}
