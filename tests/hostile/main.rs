//! What any client that reaches the socket can send. Each stream of `hostile/streams.rs` is
//! delivered in every manner of [`Manner`]. `hostile/crowds.rs` has the cases with many connections
//! or long waits, and `hostile/heads.rs` those with much memory.
//!
//! After each of them the program is alive, has grown by less than 16 MB, and answers the next good
//! request within two seconds. LIBFCGI_HOSTILE_GROWTH sets another limit in MB, for programs that
//! free memory late, as under AddressSanitizer.

mod crowds;
mod heads;
mod streams;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use testkit::wire::{Connection, request};
use testkit::{Library, Listen, PATIENCE, Worker, until};

/// The longest that a response, or the end of a half-closed connection, may take.
const AT_MOST: Duration = Duration::from_secs(2);

/// Returns the most that the program may grow by, in bytes.
fn most_growth() -> usize {
    std::env::var("LIBFCGI_HOSTILE_GROWTH").map_or(16, |text| text.parse().unwrap()) << 20
}

/// A program under attack.
struct Target {
    worker: Worker,
    before: usize,
}

impl Target {
    fn start(listen: Listen, options: &[&str]) -> Self {
        Self::start_with(listen, options, &[])
    }

    /// Starts it with the given settings.
    fn start_with(listen: Listen, options: &[&str], settings: &[&str]) -> Self {
        // The tests measure what the library holds, not what malloc keeps of the largest block that
        // was ever freed: with this setting malloc returns memory immediately.
        let around = [&["env", "MALLOC_TRIM_THRESHOLD_=131072"], settings].concat();
        let worker = Worker::start_in(&around, Library::Ours, listen, options);
        let mut target = Self { worker, before: usize::MAX };
        for _ in 0..20 {
            target.must_be_well("nothing");
        }
        target.before = target.memory();
        target
    }

    /// Returns the resident memory in bytes.
    fn memory(&self) -> usize {
        self.status("VmRSS:")
    }

    /// Returns the peak of the resident memory in bytes.
    fn peak(&self) -> usize {
        self.status("VmHWM:")
    }

    fn status(&self, field: &str) -> usize {
        let status = format!("/proc/{}/status", self.worker.running.pid());
        let status = fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        line.trim_end_matches("kB").trim().parse::<usize>().unwrap() * 1024
    }

    fn socket(&self) -> UnixStream {
        let stream = self.worker.connect().into_stream();
        stream.set_write_timeout(Some(AT_MOST)).unwrap();
        stream.set_read_timeout(Some(AT_MOST)).unwrap();
        stream
    }

    /// Asserts that after `what` the program is alive, has not grown, and answers.
    fn must_be_well(&mut self, what: &str) {
        assert!(self.worker.running.ended().is_none(), "{what}: the program has ended");
        let start = Instant::now();
        let mut connection = Connection::on(self.socket().into());
        connection.send(&request(7, false, &[("AFTER", what)], what.as_bytes()));
        let records = connection.until_closed();
        assert_eq!(records[0].content, what.as_bytes(), "after {what}");
        let took = start.elapsed();
        assert!(took < AT_MOST, "{what}: the next request took {took:?}");
        // Another thread may still be using some.
        until(&format!("memory given back after {what}"), PATIENCE, || {
            (self.memory().saturating_sub(self.before) < most_growth()).then_some(())
        });
    }
}

/// The manner in which the bytes are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// In one piece, after which the response is read and the connection must end once ours is
    /// half-closed.
    HalfClose,
    /// In one piece, after which the connection is closed without reading the response.
    Close,
    /// In one piece, after which the connection is reset.
    Reset,
    /// One byte at a time, after which the connection is half-closed.
    Bytes,
    /// In one piece, after which the connection stays silent while other requests are sent.
    Stay,
}

/// Sends as much as the peer accepts.
fn send(mut stream: &UnixStream, bytes: &[u8]) {
    // The peer may also respond by closing the connection early.
    let _ = stream.write_all(bytes);
}

/// Sends and reads at the same time. The peer must end the connection once ours is half-closed.
fn converse(stream: &UnixStream, pieces: impl Iterator<Item = impl AsRef<[u8]>>, what: &str) {
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut chunk = [0; 65_536];
            loop {
                match { stream }.read(&mut chunk) {
                    Ok(0) => return,
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        panic!("{what}: still open {AT_MOST:?} after the last bytes")
                    }
                    Err(_) => return,
                }
            }
        });
        for piece in pieces {
            send(stream, piece.as_ref());
        }
        let _ = stream.shutdown(Shutdown::Write);
        assert!(reader.join().is_ok(), "{what}");
    });
}

/// Closes the connection so that the peer gets ECONNRESET.
fn reset(stream: UnixStream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let size = size_of::<libc::linger>() as libc::socklen_t;
    // SAFETY: `linger` lives during the call, and `size` is its size.
    let done = unsafe {
        let value = (&raw const linger).cast();
        libc::setsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, value, size)
    };
    assert_eq!(done, 0, "SO_LINGER");
}

/// Delivers every stream in one manner.
fn deliver_all(target: &mut Target, manner: Manner) {
    for (name, bytes) in streams::all() {
        let what = format!("{name}, {manner:?}");
        let stream = target.socket();
        match manner {
            Manner::HalfClose => converse(&stream, [&bytes].into_iter(), &what),
            Manner::Bytes => converse(&stream, bytes.chunks(1).take(1000), &what),
            Manner::Close => send(&stream, &bytes),
            Manner::Reset => {
                send(&stream, &bytes);
                reset(stream);
                target.must_be_well(&what);
                continue;
            }
            Manner::Stay => send(&stream, &bytes),
        }
        if manner == Manner::Stay {
            target.must_be_well(&what);
        }
        drop(stream);
        target.must_be_well(&what);
    }
}

#[test]
fn there_are_a_hundred_streams_and_each_has_its_own_name() {
    let mut names: Vec<_> = streams::all().into_iter().map(|(name, _)| name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(count >= 100, "{count}");
}

/// With one thread, the program must never hang on a silent peer.
#[test]
fn on_one_thread() {
    let mut target = Target::start(Listen::Unix, &[]);
    for manner in [Manner::HalfClose, Manner::Close, Manner::Bytes] {
        deliver_all(&mut target, manner);
    }
}

/// With several threads, some are held by requests whose body never arrives.
#[test]
fn on_several_threads() {
    let mut target = Target::start(Listen::Unix, &["-t", "4"]);
    for manner in [Manner::Stay, Manner::HalfClose] {
        deliver_all(&mut target, manner);
    }
}

#[test]
fn over_tcp() {
    for options in [&[][..], &["-t", "4"]] {
        let mut target = Target::start(Listen::Tcp, options);
        for manner in [Manner::Reset, Manner::HalfClose] {
            deliver_all(&mut target, manner);
        }
    }
}
