//! What any client that reaches the socket can send. Each stream of `hostile/streams.rs` is
//! delivered in every manner of [`Manner`]. `hostile/crowds.rs` has the cases with many connections
//! or long waits, and `hostile/heads.rs` those with much memory.
//!
//! Each case runs with a program on fcgiapp.h, and two on fcgi_request.h: see [`Program`].
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

use crowds::*;
use heads::*;

/// The longest that a response, or the end of a half-closed connection, may take.
const AT_MOST: Duration = Duration::from_secs(2);

/// Returns the most that the program may grow by, in bytes.
fn most_growth() -> usize {
    std::env::var("LIBFCGI_HOSTILE_GROWTH").map_or(16, |text| text.parse().unwrap()) << 20
}

/// The way in which a program serves requests.
#[derive(Clone, Copy, Debug)]
enum Program {
    /// FCGX_Accept_r and the streams of fcgiapp.h.
    Accept,
    /// FCGX_RequestNext, which waits, and the functions of fcgi_request.h.
    Next,
    /// An event loop in each thread, on FCGX_PollDescriptor and non-blocking requests.
    EventLoop,
}

impl Program {
    /// Returns the program's name in testkit/programs, and options for it.
    fn command(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Accept => ("worker", &[]),
            Self::Next => ("requests", &[]),
            Self::EventLoop => ("requests", &["-e"]),
        }
    }
}

/// A program under attack.
struct Target {
    worker: Worker,
    before: usize,
}

impl Target {
    fn start(program: Program, listen: Listen, options: &[&str]) -> Self {
        Self::start_with(program, listen, options, &[])
    }

    /// Starts it with the given settings.
    fn start_with(program: Program, listen: Listen, options: &[&str], settings: &[&str]) -> Self {
        // The tests measure what the library holds, not what malloc keeps of the largest block that
        // was ever freed: with this setting malloc returns memory immediately.
        let around = [&["env", "MALLOC_TRIM_THRESHOLD_=131072"], settings].concat();
        let (name, own) = program.command();
        let options = [own, options].concat();
        let worker = Worker::start_program(name, &around, Library::Ours, listen, &options);
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
fn on_one_thread(program: Program) {
    let mut target = Target::start(program, Listen::Unix, &[]);
    for manner in [Manner::HalfClose, Manner::Close, Manner::Bytes] {
        deliver_all(&mut target, manner);
    }
}

/// With several threads, some are held by requests whose body never arrives.
fn on_several_threads(program: Program) {
    let mut target = Target::start(program, Listen::Unix, &["-t", "4"]);
    for manner in [Manner::Stay, Manner::HalfClose] {
        deliver_all(&mut target, manner);
    }
}

fn over_tcp(program: Program) {
    for options in [&[][..], &["-t", "4"]] {
        let mut target = Target::start(program, Listen::Tcp, options);
        for manner in [Manner::Reset, Manner::HalfClose] {
            deliver_all(&mut target, manner);
        }
    }
}

/// The requests of peers that stay silent wait in the loop, beside all others.
#[test]
fn an_event_loop_on_one_thread_waits_for_no_peer() {
    let mut target = Target::start(Program::EventLoop, Listen::Unix, &[]);
    deliver_all(&mut target, Manner::Stay);
}

/// One test per case and program.
macro_rules! on_each_program {
    ($($case:ident)*) => {
        on_each_program! { in accept, Accept: $($case)* }
        on_each_program! { in next, Next: $($case)* }
        on_each_program! { in event_loop, EventLoop: $($case)* }
    };
    (in $module:ident, $program:ident: $($case:ident)*) => {
        mod $module {
            $(
                #[test]
                fn $case() {
                    super::$case(super::Program::$program);
                }
            )*
        }
    };
}

on_each_program! {
    on_one_thread
    on_several_threads
    over_tcp
    a_request_that_ends_at_any_byte
    a_reset_at_any_byte
    a_peer_that_asks_and_never_reads
    peers_that_never_read_their_answers
    two_thousand_open_connections
    more_connections_than_descriptors
    more_connections_than_descriptors_that_have_spoken
    more_connections_than_may_wait_that_have_spoken
    the_program_has_descriptors_left
    descriptors_of_requests_stay_below_1024
    peers_that_never_stop
    peers_that_trickle
    connections_in_a_row_that_say_nothing
    thousands_that_come_and_go
    unfinished_heads_have_one_budget
    small_heads_do_not_pay_for_a_large_one
    a_head_of_the_largest_size_takes_less_than_four_times_as_much
}
