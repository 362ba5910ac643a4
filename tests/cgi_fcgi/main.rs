//! Runs the bridge program beside Debian's: the same command lines, in front of the same scripted
//! applications. A test that runs only one of them says why.

mod command_line;
mod peer;
mod supervise;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use peer::{Conversation, Heard, Input, Outcome, Peer, STDERR, STDOUT, end, record, start, stream};
use testkit::LIMIT;

const OURS: &str = env!("CARGO_BIN_EXE_cgi-fcgi");
const DEBIANS: &str = "/usr/bin/cgi-fcgi";

/// Runs a test on the original, then on ours.
fn on_both(test: impl Fn(&str)) {
    let there = Path::new(DEBIANS).exists();
    assert!(there, "Debian's program is missing: apt-get install libfcgi-bin");
    for program in [DEBIANS, OURS] {
        println!("with {program}");
        test(program);
    }
}

/// A directory of its own, removed at the end.
struct TempDir(PathBuf);

impl TempDir {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("cgi-fcgi-{}-{n}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Returns a command that runs `program` with an empty environment.
fn bare(program: &str, arguments: &[&dyn AsRef<OsStr>]) -> Command {
    let mut command = Command::new(program);
    command.env_clear().args(arguments.iter().map(|argument| argument.as_ref()));
    command
}

/// Runs `program` without input.
fn run(program: &str, arguments: &[&dyn AsRef<OsStr>]) -> Outcome {
    start(&mut bare(program, arguments), Input::Bytes(Vec::new())).finish()
}

/// Sends one request through `program` to an application on a unix socket that follows `script`.
fn carry(
    program: &str,
    environment: &[(&str, &str)],
    input: Input,
    script: impl FnOnce(&mut Conversation) + Send + 'static,
) -> (Outcome, Heard) {
    let dir = TempDir::new();
    let socket = dir.path("socket");
    let peer = Peer::unix(&socket, script);
    let mut command = bare(program, &[&"-bind", &"-connect", &socket]);
    let outcome = start(command.envs(environment.iter().copied()), input).finish();
    (outcome, peer.heard())
}

/// Returns the outcome for an application that reads the request and replies `answer`.
fn answered(program: &str, answer: Vec<u8>) -> Outcome {
    let script = move |c: &mut Conversation| {
        c.hear();
        c.say(&answer);
    };
    carry(program, &[], Input::Bytes(Vec::new()), script).0
}

fn hello(c: &mut Conversation) {
    c.hear();
    let answer =
        [record(STDOUT, b"hello"), record(STDERR, b"oops"), record(STDOUT, b""), end(7, 0)];
    c.say(&answer.concat());
}

/// Returns a body that is not text.
fn binary(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 31 + n / 251) as u8).collect()
}

fn one_line(text: &str) -> bool {
    text.len() > 1 && text.ends_with('\n') && text.matches('\n').count() == 1
}

#[test]
fn a_request_is_the_environment_and_the_answer_is_passed_on() {
    on_both(|program| {
        let environment = [("A", "b=c"), ("EMPTY", ""), ("FCGI_ROLE", "FILTER")];
        let (outcome, mut heard) = carry(program, &environment, Input::Bytes(vec![]), hello);
        assert_eq!((outcome.status, &outcome.stdout[..]), (7, &b"hello"[..]));
        assert_eq!(outcome.stderr, "oops");
        assert_eq!(heard.begin, [0, 1, 0, 0, 0, 0, 0, 0], "always a responder");
        let mut pairs = heard.pairs();
        pairs.sort();
        assert_eq!(pairs, environment.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(heard.complete);
        assert!(std::mem::take(&mut heard.body).is_empty());
    });
}

#[test]
fn the_exit_status_is_the_lowest_byte_of_the_applications() {
    on_both(|program| {
        for status in [0, 1, 200, 255, 256, 257, u32::MAX] {
            let outcome = answered(program, end(status, 0));
            assert_eq!(outcome.status, (status % 256) as i32);
        }
    });
}

#[test]
fn a_refused_request_is_status_253() {
    on_both(|program| {
        for protocol_status in [1, 2, 3, 9] {
            let outcome = answered(program, end(4, protocol_status));
            assert_eq!(outcome.status, 253, "protocol status {protocol_status}");
            // The original prints nothing.
            assert_eq!(program == OURS, one_line(&outcome.stderr), "{}", outcome.stderr);
        }
    });
}

#[test]
fn a_broken_answer_is_a_status_and_a_line() {
    let mut other_version = record(STDOUT, b"x");
    other_version[0] = 2;
    let mut other_request = record(STDOUT, b"x");
    other_request[3] = 2;
    let cut = |bytes: Vec<u8>, n: usize| bytes[..n].to_vec();
    let answers = [
        ("nothing", vec![], 253),
        ("half a header", cut(record(STDOUT, b"x"), 3), 253),
        ("half a content", cut(record(STDOUT, b"partial"), 11), 253),
        ("no END_REQUEST", [record(STDOUT, b"x"), record(STDOUT, b"")].concat(), 253),
        ("half an END_REQUEST", cut(end(0, 0), 12), 253),
        ("END_REQUEST too short", record(3, &[0; 3]), 253),
        ("END_REQUEST too long", record(3, &[0; 12]), 253),
        ("another request", other_request, 253),
        ("unknown type", record(99, b"x"), 253),
        ("a type of the web server", record(5, b"x"), 253),
        ("another version", other_version, 254),
    ];
    on_both(|program| {
        for (what, answer, status) in &answers {
            let outcome = answered(program, answer.clone());
            assert_eq!(outcome.status, *status, "{what}");
            // The original prints nothing.
            assert_eq!(program == OURS, one_line(&outcome.stderr), "{what}: {}", outcome.stderr);
        }
    });
}

/// Returns an answer with padding after its first record.
fn padded_answer() -> Vec<u8> {
    let mut padded = record(STDOUT, b"one");
    padded[6] = 255;
    padded.extend([0xee; 255]);
    [padded, record(STDERR, b"err"), record(STDOUT, b"two"), end(3, 0)].concat()
}

#[test]
fn padding_is_skipped() {
    on_both(|program| {
        let outcome = answered(program, padded_answer());
        assert_eq!((outcome.status, &outcome.stdout[..]), (3, &b"onetwo"[..]));
        assert_eq!(outcome.stderr, "err");
    });
}

/// The original loses output when a record arrives in many pieces.
#[test]
fn an_answer_may_be_cut_anywhere() {
    let script = |c: &mut Conversation| {
        c.hear();
        padded_answer().iter().for_each(|byte| c.say(&[*byte]));
    };
    let (outcome, _) = carry(OURS, &[], Input::Bytes(vec![]), script);
    assert_eq!((outcome.status, &outcome.stdout[..]), (3, &b"onetwo"[..]));
    assert_eq!(outcome.stderr, "err");
}

#[test]
fn content_length_says_whether_there_is_a_body() {
    let cases: [(Option<&str>, &[u8]); 8] = [
        (Some("5"), b"12345"),
        (Some(" 5x"), b"12345"),
        (Some("9"), b"12345"),
        (Some("0"), b""),
        (None, b""),
        (Some(""), b""),
        (Some("junk"), b""),
        (Some("-1"), b""),
    ];
    on_both(|program| {
        for (length, body) in cases {
            let environment: Vec<_> = length.map(|l| ("CONTENT_LENGTH", l)).into_iter().collect();
            let input = Input::Bytes(b"12345".to_vec());
            let (outcome, heard) = carry(program, &environment, input, hello);
            assert_eq!((outcome.status, heard.complete), (7, true), "{length:?}");
            assert_eq!(heard.body, body, "{length:?}");
        }
    });
}

/// The original sends whatever its first read returned, up to 8 KB.
#[test]
fn a_body_longer_than_content_length_is_cut() {
    let input = Input::Bytes(b"1234567890".to_vec());
    let (_, heard) = carry(OURS, &[("CONTENT_LENGTH", "5")], input, hello);
    assert_eq!(heard.body, b"12345");
}

#[test]
fn the_end_of_the_input_is_not_awaited() {
    on_both(|program| {
        let input = Input::Open(b"12345".to_vec());
        let (outcome, heard) = carry(program, &[("CONTENT_LENGTH", "5")], input, hello);
        assert_eq!((outcome.status, &heard.body[..]), (7, &b"12345"[..]));
    });
}

#[test]
fn large_environments_arrive_whole() {
    on_both(|program| {
        let value = "v".repeat(100_000);
        let names: Vec<_> = (0..8).map(|n| format!("NAME{n}")).collect();
        let environment: Vec<_> = names.iter().map(|name| (&name[..], &value[..])).collect();
        let (outcome, heard) = carry(program, &environment, Input::Bytes(vec![]), hello);
        assert_eq!(outcome.status, 7);
        let mut pairs = heard.pairs();
        pairs.sort();
        assert_eq!(pairs.len(), 8);
        assert!(pairs.iter().zip(&names).all(|((name, v), own)| name == own && *v == value));
    });
}

#[test]
fn large_bodies_and_answers_are_binary() {
    on_both(|program| {
        let (body, answer) = (binary(5_000_000), binary(20_000_000));
        let reply = [stream(STDOUT, &answer), end(0, 0)].concat();
        let script = move |c: &mut Conversation| {
            c.hear();
            c.say(&reply);
        };
        let environment = [("CONTENT_LENGTH", "5000000")];
        let (outcome, heard) = carry(program, &environment, Input::Bytes(body.clone()), script);
        assert_eq!(outcome.status, 0);
        assert!(heard.body == body && outcome.stdout == answer);
    });
}

#[test]
fn an_answer_may_come_while_the_body_is_on_its_way() {
    on_both(|program| {
        // More than all buffers on the way hold, in both directions simultaneously.
        let (body, answer) = (binary(5_000_000), binary(5_000_000));
        let (said, reply) = (stream(STDOUT, &answer), end(2, 0));
        let script = move |c: &mut Conversation| {
            c.say(&said);
            c.hear();
            c.say(&reply);
        };
        let environment = [("CONTENT_LENGTH", "5000000")];
        let (outcome, heard) = carry(program, &environment, Input::Bytes(body.clone()), script);
        assert_eq!(outcome.status, 2);
        assert!(heard.body == body && outcome.stdout == answer);
    });
}

/// The original exits with 32 (EPIPE) when the application has closed its side.
#[test]
fn an_answer_to_an_unread_body_counts() {
    let early = |c: &mut Conversation| c.say(&[record(STDOUT, b"early"), end(2, 0)].concat());
    let input = Input::Bytes(binary(5_000_000));
    let (outcome, _) = carry(OURS, &[("CONTENT_LENGTH", "5000000")], input, early);
    assert_eq!((outcome.status, &outcome.stdout[..]), (2, &b"early"[..]));
    assert_eq!(outcome.stderr, "");
}

/// The original waits until the application closes the connection.
#[test]
fn the_end_of_the_request_is_the_end() {
    let (leave, left) = mpsc::channel::<()>();
    let script = move |c: &mut Conversation| {
        hello(c);
        let _ = left.recv_timeout(LIMIT);
    };
    let dir = TempDir::new();
    let peer = Peer::unix(&dir.path("socket"), script);
    let outcome = run(OURS, &[&"-bind", &"-connect", &dir.path("socket")]);
    assert_eq!(outcome.status, 7);
    drop(leave);
    assert!(peer.heard().complete);
}

#[test]
fn an_application_that_dies_is_an_error() {
    on_both(|program| {
        let (outcome, _) = carry(program, &[], Input::Bytes(vec![]), |_| ());
        // ECONNRESET, EPIPE or an end without END_REQUEST: whichever is noticed first.
        assert!([32, 104, 253].contains(&outcome.status), "{}", outcome.status);
        assert_eq!(program == OURS, one_line(&outcome.stderr), "{}", outcome.stderr);
    });
}

#[test]
fn nobody_to_write_to_is_status_32() {
    on_both(|program| {
        let dir = TempDir::new();
        let answer = [stream(STDOUT, &binary(1_000_000)), end(0, 0)].concat();
        let peer = Peer::unix(&dir.path("socket"), move |c| {
            c.hear();
            c.say(&answer);
        });
        let (reader, writer) = UnixStream::pair().unwrap();
        drop(reader);
        let mut command = bare(program, &[&"-bind", &"-connect", &dir.path("socket")]);
        let output = command.stdin(Stdio::null()).stdout(OwnedFd::from(writer)).output().unwrap();
        assert_eq!(output.status.code(), Some(32));
        peer.heard();
    });
}

#[test]
fn a_closed_standard_error_does_not_matter() {
    let dir = TempDir::new();
    let peer = Peer::unix(&dir.path("socket"), hello);
    let (reader, writer) = UnixStream::pair().unwrap();
    drop(reader);
    let mut command = bare(OURS, &[&"-bind", &"-connect", &dir.path("socket")]);
    let child = command.stdin(Stdio::null()).stderr(OwnedFd::from(writer));
    let output = child.stdout(Stdio::piped()).spawn().unwrap().wait_with_output();
    let output = output.unwrap();
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(7), &b"hello"[..]));
    peer.heard();
}

/// An extension of libfcgi-rs.
#[test]
fn a_silent_application_runs_into_the_timeout() {
    let (leave, left) = mpsc::channel::<()>();
    let dir = TempDir::new();
    let peer = Peer::unix(&dir.path("socket"), move |c| {
        c.hear();
        let _ = left.recv_timeout(LIMIT);
    });
    let socket = dir.path("socket");
    let outcome = run(OURS, &[&"--timeout", &"0.2", &"-bind", &"-connect", &socket]);
    assert_eq!(outcome.status, 110);
    assert_eq!(outcome.stderr, "Timeout: the request did not end within 0.2 s\n");
    drop(leave);
    assert!(peer.heard().complete);
}

#[test]
fn memory_does_not_grow_with_the_request() {
    const LENGTH: u64 = 1 << 30;
    let (heard_all, all_heard) = mpsc::channel();
    let (leave, left) = mpsc::channel::<()>();
    let dir = TempDir::new();
    let peer = Peer::unix(&dir.path("socket"), move |c| {
        c.keep_body = false;
        c.hear();
        heard_all.send(()).unwrap();
        let _ = left.recv_timeout(LIMIT);
        c.say(&end(0, 0));
    });
    // A sparse file without any data.
    let body = dir.path("body");
    File::create(&body).unwrap().set_len(LENGTH).unwrap();
    let mut command = bare(OURS, &[&"-bind", &"-connect", &dir.path("socket")]);
    command.envs((0..8).map(|n| (format!("NAME{n}"), "v".repeat(100_000))));
    command.env("CONTENT_LENGTH", LENGTH.to_string());
    let running = start(&mut command, Input::File(File::open(body).unwrap()));
    all_heard.recv_timeout(LIMIT).unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", running.child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kilobytes < 16 * 1024, "{kilobytes} kB");
    drop(leave);
    assert_eq!(running.finish().status, 0);
    assert_eq!(peer.heard().body_bytes, LENGTH);
}
