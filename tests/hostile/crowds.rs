//! Many connections, and peers that take their time.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::streams;
use super::{Program, Target, converse, reset, send};
use testkit::wire::{Connection, begin, get_values, no_requests, params, request, stdin};
use testkit::{Listen, PATIENCE, allow_descriptors, until};

const CROWD: usize = 2000;

/// A setting with which silent peers on a unix socket stay connected too.
const PATIENT: &str = "LIBFCGI_IS_AF_UNIX_KEEPER_POLL_TIMEOUT=60000";

/// The default of LIBFCGI_MAX_WAITING.
const MOST_WAITING: usize = 512;

/// Returns a request that the tests truncate and reset at each byte.
fn sample() -> Vec<u8> {
    request(1, true, &[("NAME", "value"), ("OTHER", "")], b"the body")
}

/// Returns the number of descriptors of the program, and the highest.
fn descriptors(target: &Target) -> (usize, usize) {
    let list = std::fs::read_dir(format!("/proc/{}/fd", target.worker.running.pid())).unwrap();
    let numbers: Vec<usize> =
        list.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
    (numbers.len(), numbers.into_iter().max().unwrap_or_default())
}

pub(crate) fn a_request_that_ends_at_any_byte(program: Program) {
    for options in [&[][..], &["-t", "2"]] {
        let mut target = Target::start(program, Listen::Unix, options);
        for cut in 0..sample().len() {
            let what = format!("cut at {cut}");
            converse(&target.socket(), [&sample()[..cut]].into_iter(), &what);
            target.must_be_well(&what);
        }
    }
}

pub(crate) fn a_reset_at_any_byte(program: Program) {
    for options in [&[][..], &["-t", "2"]] {
        let mut target = Target::start(program, Listen::Tcp, options);
        for cut in 0..=sample().len() {
            let stream = target.socket();
            send(&stream, &sample()[..cut]);
            reset(stream);
            target.must_be_well(&format!("reset at {cut}"));
        }
    }
}

/// Responses to management records must not make a thread wait for a peer that does not read.
pub(crate) fn a_peer_that_asks_and_never_reads(program: Program) {
    for options in [&[][..], &["-t", "2"]] {
        for listen in [Listen::Unix, Listen::Tcp] {
            let mut target = Target::start(program, listen, options);
            let stream = target.socket();
            stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
            let questions = get_values(&["FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"]);
            send(&stream, &questions.repeat(300_000));
            target.must_be_well(&format!("questions without end, {listen:?} {options:?}"));
        }
    }
}

/// A thread that writes to a peer that does not read has to wait. The others go on serving.
pub(crate) fn peers_that_never_read_their_answers(program: Program) {
    let mut target = Target::start(program, Listen::Unix, &["-t", "4"]);
    let mut held: Vec<UnixStream> = (0..3).map(|_| target.socket()).collect();
    for stream in &held {
        send(stream, &request(1, true, &[("SIZE", "20000000")], b""));
    }
    target.must_be_well("three that never read");
    // In the end they read, and nothing is missing.
    for stream in &mut held {
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        assert!(bytes.len() > 20_000_000, "{}", bytes.len());
    }
    target.must_be_well("three that have read late");
}

/// The connections send nothing, or half of something, and stay open while good requests come.
pub(crate) fn two_thousand_open_connections(program: Program) {
    let half_a_head = [begin(1, true), params(1, &[("A", "B")])[..12].to_vec()].concat();
    crowd(program, &[], "silent", b"");
    crowd(program, &[], "with a claim of 65,535 bytes", &[1, 9, 0, 0, 0xff, 0xff, 0, 0, 14]);
    crowd(program, &["-t", "4"], "with half a header", &half_a_head[..5]);
    crowd(program, &["-t", "4"], "with half their parameters", &half_a_head);
}

fn crowd(program: Program, options: &[&str], what: &str, bytes: &[u8]) {
    allow_descriptors(CROWD * 2 + 200);
    // The settings let all of the connections wait at the same time, even the silent ones.
    let mut target =
        Target::start_with(program, Listen::Unix, options, &[PATIENT, "LIBFCGI_MAX_WAITING=0"]);
    let what = format!("{CROWD} connections {what}, {options:?}");
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let stream = target.socket();
        send(&stream, bytes);
        crowd.push(stream);
    }
    until("the program to accept them", PATIENCE, || {
        (descriptors(&target).0 > CROWD).then_some(())
    });
    target.must_be_well(&what);
    let (_, highest) = descriptors(&target);
    assert!(highest > 1024, "{what}: {highest}");
    // The last of them has a descriptor above 1024, and is served like any other.
    if bytes.is_empty() {
        let last = crowd.pop().unwrap();
        converse(&last, [request(1, false, &[], b"late")].into_iter(), &what);
    }
    drop(crowd);
    target.must_be_well(&what);
    until("the program to close them", PATIENCE, || (descriptors(&target).0 < 50).then_some(()));
}

/// When descriptors run out, silent connections are closed.
pub(crate) fn more_connections_than_descriptors(program: Program) {
    for options in [&["-f", "64"][..], &["-f", "64", "-t", "4"]] {
        let mut target = Target::start(program, Listen::Tcp, options);
        let crowd: Vec<UnixStream> = (0..150).map(|_| target.socket()).collect();
        target.must_be_well("150 silent connections for 64 descriptors");
        drop(crowd);
        target.must_be_well("150 connections gone");
    }
}

/// When descriptors run out, connections that have sent something other than a request are closed
/// too, and finally the idle ones. A client with a request is served. What a connection sends later
/// is no reason to close it.
pub(crate) fn more_connections_than_descriptors_that_have_spoken(program: Program) {
    let idle = request(1, true, &[], b"the body").to_vec();
    for bytes in no_requests().into_iter().chain([idle]) {
        for options in [&["-f", "64"][..], &["-f", "64", "-t", "2"]] {
            // Neither a timeout nor a maximum number closes them during the test.
            let settings = [PATIENT, "LIBFCGI_FIRST_BYTE_TIMEOUT=0", "LIBFCGI_MAX_WAITING=0"];
            for listen in [Listen::Unix, Listen::Tcp] {
                let mut target = Target::start_with(program, listen, options, &settings);
                let mut crowd = Vec::new();
                for _ in 0..70 {
                    let stream = target.socket();
                    send(&stream, &bytes);
                    crowd.push(stream);
                }
                for _ in 0..3 {
                    target.must_be_well(&format!("seventy with {bytes:?}, {options:?}"));
                }
                // Each sends more, which is no reason to keep it.
                for stream in &crowd {
                    send(stream, &no_requests()[1]);
                }
                target.must_be_well(&format!("seventy with {bytes:?} and more, {options:?}"));
            }
        }
    }
}

/// More connections than may wait send something other than a request. The excess is closed, and
/// the program sleeps.
pub(crate) fn more_connections_than_may_wait_that_have_spoken(program: Program) {
    allow_descriptors(2048);
    for bytes in no_requests() {
        for options in [&[][..], &["-t", "2"]] {
            for (setting, most) in [("LIBFCGI_MAX_WAITING=20", 20), ("IGNORED=", MOST_WAITING)] {
                let mut target =
                    Target::start_with(program, Listen::Unix, options, &[PATIENT, setting]);
                let (before, _) = descriptors(&target);
                let what = format!("{most} with {bytes:?}, {options:?}");
                let mut crowd = Vec::new();
                for _ in 0..most + most / 4 {
                    let stream = target.socket();
                    send(&stream, &bytes);
                    crowd.push(stream);
                }
                target.must_be_well(&what);
                until("those too many to be closed", PATIENCE, || {
                    // The library has opened three descriptors of its own since.
                    (descriptors(&target).0 <= before + 3 + most).then_some(())
                });
                let before = target.worker.processor_time();
                std::thread::sleep(Duration::from_millis(300));
                let used = target.worker.processor_time() - before;
                assert!(used < Duration::from_millis(100), "{what}: {used:?} of 300 ms");
            }
        }
    }
}

/// Waiting connections leave a quarter of the descriptors to the program, whatever the setting.
pub(crate) fn the_program_has_descriptors_left(program: Program) {
    for setting in ["LIBFCGI_MAX_WAITING=0", "LIBFCGI_MAX_WAITING=4096"] {
        for options in [&["-f", "128"][..], &["-f", "128", "-t", "2"]] {
            let mut target =
                Target::start_with(program, Listen::Unix, options, &[PATIENT, setting]);
            let (own, _) = descriptors(&target);
            let _crowd: Vec<UnixStream> = (0..150).map(|_| target.socket()).collect();
            target.must_be_well("150 silent connections for 128 descriptors");
            // The library has three descriptors of its own.
            let (count, _) = descriptors(&target);
            assert!(count <= own + 3 + 96, "{count}");
        }
    }
}

/// Old programs call select(2) on `ipcFd`, and an `fd_set` only has room for 1024.
pub(crate) fn descriptors_of_requests_stay_below_1024(program: Program) {
    allow_descriptors(4096);
    for options in [&[][..], &["-t", "4"]] {
        let mut target = Target::start_with(program, Listen::Unix, options, &[PATIENT]);
        let _crowd: Vec<UnixStream> = (0..1100).map(|_| target.socket()).collect();
        target.must_be_well("1,100 silent connections");
        let (count, highest) = descriptors(&target);
        assert!(count > MOST_WAITING && highest < 1024, "{count}, up to {highest}");
    }
}

/// Shuts connections down at the end of a test, even a failed one, so that nothing waits for them.
struct ShutDown<'a>(&'a [UnixStream]);

impl Drop for ShutDown<'_> {
    fn drop(&mut self) {
        for stream in self.0 {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

/// Peers that keep sending something other than a request take turns with all others.
pub(crate) fn peers_that_never_stop(program: Program) {
    let record = [&[1, 5, 0, 1, 0xff, 0xff, 0, 0][..], &[0; 0xffff]].concat();
    for options in [&[][..], &["-t", "2"]] {
        let mut target = Target::start(program, Listen::Unix, options);
        let floods: Vec<UnixStream> = (0..4).map(|_| target.socket()).collect();
        std::thread::scope(|scope| {
            let _end = ShutDown(&floods);
            for flood in &floods {
                scope.spawn(|| while (&*flood).write_all(&record).is_ok() {});
            }
            for _ in 0..20 {
                target.must_be_well("four peers that never stop");
            }
        });
    }
}

/// Connections that send slowly do not slow the others down, nor hold anything forever.
pub(crate) fn peers_that_trickle(program: Program) {
    for options in [&[][..], &["-t", "2"]] {
        let mut target = Target::start(program, Listen::Tcp, options);
        let streams: Vec<UnixStream> = (0..50).map(|_| target.socket()).collect();
        let head = [begin(1, false), params(1, &[("NAME", "value")])].concat();
        for byte in head[..head.len() - 1].chunks(1) {
            for stream in &streams {
                send(stream, byte);
            }
            target.must_be_well("fifty peers that send a byte");
        }
        let rest = [&head[head.len() - 1..], &stdin(1, b"")].concat();
        for stream in &streams {
            converse(stream, [&rest].into_iter(), "the end of a trickle");
        }
        target.must_be_well("fifty peers that have trickled");
    }
}

/// A process with one thread waits a moment for the first bytes of a new connection. A series of
/// connections that send nothing, or leave, takes at most a fifth of its time plus 100 ms.
pub(crate) fn connections_in_a_row_that_say_nothing(program: Program) {
    const REQUESTS: u32 = 300;
    let silent_each = Duration::from_millis(1);
    let target = Target::start(program, Listen::Unix, &[]);
    let mut kept = Connection::on(target.socket().into());
    let is_over = AtomicBool::new(false);
    let took = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut silent = VecDeque::new();
            while !is_over.load(Ordering::Relaxed) {
                silent.push_back(target.socket());
                if silent.len() > 50 {
                    silent.pop_front();
                }
                std::thread::sleep(silent_each);
            }
        });
        let start = Instant::now();
        for _ in 0..REQUESTS {
            kept.send(&request(1, true, &[], b"good"));
            kept.until_end_of(1);
        }
        let took = start.elapsed();
        is_over.store(true, Ordering::Relaxed);
        took
    });
    // Each of the requests could have to wait 20 ms for one of them.
    assert!(took < REQUESTS * Duration::from_millis(20) / 3, "{took:?}");
}

/// The memory and descriptors of connections that come and go are freed.
pub(crate) fn thousands_that_come_and_go(program: Program) {
    let mut target = Target::start(program, Listen::Unix, &["-t", "2"]);
    let (before, _) = descriptors(&target);
    let all = streams::all();
    let small: Vec<_> = all.iter().filter(|(_, bytes)| bytes.len() < 1000).collect();
    let end = Instant::now() + Duration::from_secs(3);
    for (name, bytes) in small.iter().cycle() {
        send(&target.socket(), bytes);
        if Instant::now() >= end {
            target.must_be_well(name);
            break;
        }
    }
    until("descriptors to be given back", PATIENCE, || {
        (descriptors(&target).0 <= before + 2).then_some(())
    });
}
