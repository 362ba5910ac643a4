//! A long run with 32 clients and 8 threads, on kept and new connections, with bodies and pages of
//! all sizes. No response is lost or wrong. Memory and descriptors stay flat after the first part.
//!
//! LIBFCGI_SOAK_SECONDS sets the time (20 by default); `make soak` takes ten minutes.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use fcgi::internals::protocol::{HEADER_LEN, Header, RecordType};
use testkit::wire::request;
use testkit::{Numbers, PATIENCE, Worker};

const CLIENTS: usize = 32;
const THREADS: &str = "8";

/// The largest growth of memory after the first part, in bytes. Some growth is normal, because
/// malloc makes room for the largest requests step by step. A leak of 16 bytes per request shows
/// after 300,000 requests.
const GROWTH: usize = 4 << 20;

/// Returns a size that is mostly small, and sometimes up to a megabyte.
fn size(numbers: &mut Numbers) -> usize {
    let limit = match numbers.below(1000) {
        0 => 1_000_000,
        1..20 => 100_000,
        20..200 => 10_000,
        _ => 1000,
    };
    numbers.below(limit)
}

/// Reads one response up to its END_REQUEST, which must arrive, and puts its output in `output`.
fn answer(mut stream: &UnixStream, received: &mut Vec<u8>, output: &mut Vec<u8>) {
    let mut chunk = [0; 65_536];
    received.clear();
    output.clear();
    let mut at = 0;
    loop {
        while let Some((header, rest)) = received[at..].split_first_chunk::<HEADER_LEN>() {
            let header = Header::from_bytes(*header);
            assert_eq!((header.version, header.request_id), (1, 1));
            let length = usize::from(header.content_length);
            let whole = length + usize::from(header.padding_length);
            if rest.len() < whole {
                break;
            }
            let content = &rest[..length];
            match header.kind {
                RecordType::STDOUT => output.extend_from_slice(content),
                RecordType::END_REQUEST => {
                    assert_eq!(content, [0; 8]);
                    assert_eq!(rest.len(), whole, "something follows the end");
                    return;
                }
                other => panic!("{other:?}"),
            }
            at += HEADER_LEN + whole;
        }
        match stream.read(&mut chunk) {
            Ok(0) => panic!("the connection ends within an answer"),
            Ok(n) => received.extend_from_slice(&chunk[..n]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Sends requests until `end`, and returns their number.
fn client(worker: &Worker, number: usize, end: Instant) -> usize {
    let mut numbers = Numbers(number as u64);
    let page: Vec<u8> = (0..1_000_000).map(|n: usize| (n % 251) as u8).collect();
    let (mut received, mut output) = (Vec::new(), Vec::new());
    let mut kept: Option<UnixStream> = None;
    let mut count = 0;
    while Instant::now() < end {
        let stream = kept.take().unwrap_or_else(|| {
            let stream = worker.connect().into_stream();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream
        });
        let keep = numbers.below(10) > 0;
        let (size, start) = (size(&mut numbers), numbers.below(251));
        let wants_page = numbers.below(2) == 0;
        let body = if wants_page { &[] } else { &page[start..page.len().min(start + size)] };
        let text = size.to_string();
        let list: &[(&str, &str)] =
            if wants_page { &[("SIZE", &text)] } else { &[("SCRIPT_NAME", "/echo")] };
        let bytes = request(1, keep, list, body);
        if body.len() < 50_000 {
            { &stream }.write_all(&bytes).unwrap();
            answer(&stream, &mut received, &mut output);
        } else {
            // Both directions are busy: the response begins before the body ends.
            thread::scope(|scope| {
                scope.spawn(|| { &stream }.write_all(&bytes).unwrap());
                answer(&stream, &mut received, &mut output);
            });
        }
        if wants_page {
            assert!(output.len() == size && output.iter().all(|&byte| byte == b'x'), "{size}");
        } else {
            assert!(output == body, "{} bytes for {}", output.len(), body.len());
        }
        kept = keep.then_some(stream);
        count += 1;
    }
    count
}

/// Returns the resident memory in bytes and the number of descriptors.
fn holdings(worker: &Worker) -> (usize, usize) {
    let process = format!("/proc/{}", worker.running.pid());
    let status = fs::read_to_string(format!("{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kilobytes: usize = line.trim_end_matches("kB").trim().parse().unwrap();
    (kilobytes * 1024, fs::read_dir(format!("{process}/fd")).unwrap().count())
}

/// Runs all clients for a while, and returns the number of requests.
fn burden(worker: &Worker, time: Duration) -> usize {
    let end = Instant::now() + time;
    thread::scope(|scope| {
        let clients: Vec<_> =
            (0..CLIENTS).map(|number| scope.spawn(move || client(worker, number, end))).collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    })
}

#[test]
fn it_goes_on_and_on() {
    let seconds = std::env::var("LIBFCGI_SOAK_SECONDS").map_or(20.0, |text| text.parse().unwrap());
    let time = Duration::from_secs_f64(seconds);
    let worker = Worker::ours(&["-t", THREADS]);
    let first = burden(&worker, time / 5);
    let (memory, descriptors) = holdings(&worker);
    let mut count = first;
    for _ in 0..4 {
        count += burden(&worker, time / 5);
        let (memory_now, descriptors_now) = holdings(&worker);
        println!("{count} requests: {} KB, {descriptors_now} descriptors", memory_now / 1024);
        assert!(memory_now < memory + GROWTH, "{memory} bytes, then {memory_now}");
        assert!(descriptors_now <= descriptors + CLIENTS, "{descriptors}, then {descriptors_now}");
    }
    assert!(first > 0 && count > first);
    assert_eq!(worker.results(), [], "a thread has ended");
}
