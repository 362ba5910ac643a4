//! Many connections, and peers with much patience.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::streams;
use super::{Target, converse, reset, send};
use crate::support::wire::{begin, get_values, params, request, stdin};
use crate::support::{Listen, PATIENCE, until};

const CROWD: usize = 2000;

/// A request whose truncations and resets are tried.
fn sample() -> Vec<u8> {
    request(1, true, &[("NAME", "value"), ("OTHER", "")], b"the body")
}

/// The test's own descriptors and, inherited, the program's.
fn allow_descriptors(count: libc::rlim_t) {
    // SAFETY: an all-zero rlimit is one, and both calls get its address for their time only.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        assert!(limit.rlim_max >= count, "the hard limit of descriptors is below {count}");
        limit.rlim_cur = limit.rlim_cur.max(count);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
}

/// How many descriptors the program has, and the highest.
fn descriptors(target: &Target) -> (usize, usize) {
    let list = std::fs::read_dir(format!("/proc/{}/fd", target.worker.running.pid())).unwrap();
    let numbers: Vec<usize> =
        list.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
    (numbers.len(), numbers.into_iter().max().unwrap_or_default())
}

#[test]
fn a_request_that_ends_at_any_byte() {
    for options in [&[][..], &["-t", "2"]] {
        let mut target = Target::start(Listen::Unix, options);
        for cut in 0..sample().len() {
            let what = format!("cut at {cut}");
            converse(&target.socket(), [&sample()[..cut]].into_iter(), &what);
            target.must_be_well(&what);
        }
    }
}

#[test]
fn a_reset_at_any_byte() {
    for options in [&[][..], &["-t", "2"]] {
        let mut target = Target::start(Listen::Tcp, options);
        for cut in 0..=sample().len() {
            let stream = target.socket();
            send(&stream, &sample()[..cut]);
            reset(stream);
            target.must_be_well(&format!("reset at {cut}"));
        }
    }
}

/// The answers to management records must not make a thread wait for a peer that does not read.
#[test]
fn a_peer_that_asks_and_never_reads() {
    for options in [&[][..], &["-t", "2"]] {
        for listen in [Listen::Unix, Listen::Tcp] {
            let mut target = Target::start(listen, options);
            let stream = target.socket();
            stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
            let questions = get_values(&["FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"]);
            send(&stream, &questions.repeat(300_000));
            target.must_be_well(&format!("questions without end, {listen:?} {options:?}"));
        }
    }
}

/// A thread that writes to a peer that does not read has to wait; the others serve on.
#[test]
fn peers_that_never_read_their_answers() {
    let mut target = Target::start(Listen::Unix, &["-t", "4"]);
    let mut held: Vec<UnixStream> = (0..3).map(|_| target.socket()).collect();
    for stream in &held {
        send(stream, &request(1, true, &[("SIZE", "20000000")], b""));
    }
    target.must_be_well("three that never read");
    // They read after all: nothing is missing.
    for stream in &mut held {
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        assert!(bytes.len() > 20_000_000, "{}", bytes.len());
    }
    target.must_be_well("three that have read late");
}

/// Connections that say nothing, or half of something, each still open while good requests come.
#[test]
fn two_thousand_open_connections() {
    let half_a_head = [begin(1, true), params(1, &[("A", "B")])[..12].to_vec()].concat();
    crowd(&[], "silent", b"");
    crowd(&[], "with a claim of 65,535 bytes", &[1, 9, 0, 0, 0xff, 0xff, 0, 0, 14]);
    crowd(&["-t", "4"], "with half a header", &half_a_head[..5]);
    crowd(&["-t", "4"], "with half their parameters", &half_a_head);
}

fn crowd(options: &[&str], what: &str, bytes: &[u8]) {
    allow_descriptors(CROWD as libc::rlim_t * 2 + 200);
    // Patience with those that are silent: all of them are there at once.
    let patience = "LIBFCGI_IS_AF_UNIX_KEEPER_POLL_TIMEOUT=60000";
    let mut target = Target::start_with(Listen::Unix, options, patience);
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

/// Out of descriptors, those that say nothing make room.
#[test]
fn more_connections_than_descriptors() {
    for options in [&["-f", "64"][..], &["-f", "64", "-t", "4"]] {
        let mut target = Target::start(Listen::Tcp, options);
        let crowd: Vec<UnixStream> = (0..150).map(|_| target.socket()).collect();
        target.must_be_well("150 silent connections for 64 descriptors");
        drop(crowd);
        target.must_be_well("150 connections gone");
    }
}

/// Connections that trickle do not slow the others down, nor keep anything for ever.
#[test]
fn peers_that_trickle() {
    for options in [&[][..], &["-t", "2"]] {
        let mut target = Target::start(Listen::Tcp, options);
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

/// Memory and descriptors of what comes and goes are given back.
#[test]
fn thousands_that_come_and_go() {
    let mut target = Target::start(Listen::Unix, &["-t", "2"]);
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
