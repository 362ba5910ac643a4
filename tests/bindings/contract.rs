//! What every program does: it answers with four of its parameters as headers and with the request's body,
//! writes "served" to the error stream, and ends by SIGTERM.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};

use super::client::{Answer, Client, Params, Program, Then};
use testkit::toolchain::original_library;
use testkit::{Library, PATIENCE, dist, timed, until};

/// Which connections a program serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connections {
    /// Kept ones and new ones in any order.
    KeptBesideNew,
    /// All, but while one is kept no other. The original reads the connection of a structure until it is
    /// closed: `waiting/idle::half_a_head_blocks_the_original` and others show what follows.
    KeptAlone,
    /// New ones. The original never hears of the second request on a kept one:
    /// `waiting/given_back::a_structure_for_each_request_serves_kept_connections`.
    New,
    /// New ones, which are closed even if they were to be kept.
    Closed,
}

/// How a program ends by SIGTERM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Accept fails, which ends the program's loop.
    OfLoop,
    /// By a handler of the language that exits with this status.
    Code(i32),
    /// By the signal.
    Signal,
}

impl End {
    fn check(self, status: ExitStatus) {
        let ends = (status.code(), status.signal());
        let expected = match self {
            Self::OfLoop => (Some(0), None),
            Self::Code(code) => (Some(code), None),
            Self::Signal => (None, Some(libc::SIGTERM)),
        };
        assert_eq!(ends, expected, "the program's end");
    }
}

/// The headers of an answer, with the parameters that are their values.
const HEADERS: [(&[u8], &[u8]); 4] = [
    (b"X-Method", b"REQUEST_METHOD"),
    (b"X-Query", b"QUERY_STRING"),
    (b"X-Empty", b"EMPTY"),
    (b"X-Long", b"LONG"),
];

pub(super) const GET: Params<'static> = &[
    (b"REQUEST_METHOD", b"GET"),
    (b"QUERY_STRING", b"a=1&b=%C3%A4"),
    (b"SCRIPT_NAME", b"/x"),
    (b"EMPTY", b""),
];

const POST: Params<'static> = &[(b"REQUEST_METHOD", b"POST"), (b"CONTENT_LENGTH", b"307200")];

/// The length of the longest parameter.
const LONG: usize = 70_000;

/// How many small requests are sent in a row.
const MANY: usize = 200;

/// How many descriptors the library opens when it needs them, as for the first head that comes late.
const LIBRARYS_OWN: usize = 4;

/// Starts a program on a library and checks all of it.
pub(super) fn holds(command: &mut Command, library: Library, connections: Connections, end: End) {
    println!("{library:?}, {connections:?}");
    let program = Program::start(command, library);
    timed("GET", || ask(&mut program.connect(), Then::Close, GET, b""));
    assert_eq!(program.library(), file(library), "mapped library");
    timed("POST of 300 KB", || ask(&mut program.connect(), Then::Close, POST, &every_byte()));
    timed("parameters", || parameters(&program));
    timed("many requests", || many(&program, connections));
    let before = program.descriptors();
    timed("as many again", || many(&program, connections));
    until("as few descriptors", PATIENCE, || {
        (program.descriptors() <= before + LIBRARYS_OWN).then_some(())
    });
    timed("SIGTERM", || end.check(program.terminate()));
}

/// Returns 300 KB in which every byte follows several others.
fn every_byte() -> Vec<u8> {
    (0..300 * 1024_u32).map(|n| (n + n / 256).to_le_bytes()[0]).collect()
}

/// Sends a parameter of 70,000 bytes, and bytes that are no UTF-8.
fn parameters(program: &Program) {
    let long: Vec<u8> = (0..LONG).map(|n| b'a' + (n % 26) as u8).collect();
    let above_127: Vec<u8> = (128..=255).collect();
    let params: Params = &[
        (b"LONG", &long),
        (b"N\xe4me", b"\xff"),
        (b"QUERY_STRING", &above_127),
        (b"REQUEST_METHOD", b"GET"),
    ];
    ask(&mut program.connect(), Then::Close, params, b"");
}

/// Sends many small requests, half of them on a kept connection if the program can serve it.
fn many(program: &Program, connections: Connections) {
    let new = |then: Then| {
        let mut client = program.connect();
        ask(&mut client, then, GET, b"abcde");
        client
    };
    match connections {
        Connections::KeptBesideNew => {
            let mut kept = program.connect();
            for _ in 0..MANY / 2 {
                ask(&mut kept, Then::Keep, GET, b"abcde");
                new(Then::Close);
            }
        }
        Connections::KeptAlone => {
            (0..MANY / 2).for_each(|_| drop(new(Then::Close)));
            let mut kept = program.connect();
            (0..MANY / 2).for_each(|_| ask(&mut kept, Then::Keep, GET, b"abcde"));
        }
        Connections::New => (0..MANY).for_each(|_| drop(new(Then::Close))),
        Connections::Closed => {
            for _ in 0..MANY / 2 {
                new(Then::Close);
                assert_eq!(new(Then::Keep).connection.until_closed(), []);
            }
        }
    }
}

/// Sends a request and checks the answer.
fn ask(client: &mut Client, then: Then, params: Params, body: &[u8]) {
    check(&client.ask(then, params, body), params, body);
}

/// Checks an answer byte by byte.
pub(super) fn check(answer: &Answer, params: Params, body: &[u8]) {
    let mut expected = b"Content-Type: application/octet-stream\r\n".to_vec();
    for (header, name) in HEADERS {
        if let Some((_, value)) = params.iter().find(|(found, _)| *found == name) {
            expected.extend([header, b": ", value, b"\r\n"].concat());
        }
    }
    expected.extend_from_slice(b"\r\n");
    expected.extend_from_slice(body);
    let output = &answer.output;
    let at = expected.iter().zip(output).take_while(|(wanted, got)| wanted == got).count();
    let rest = output[at..].chunks(80).next().unwrap_or_default().escape_ascii();
    assert!(*output == expected, "differs from byte {at} on: \"{rest}\"");
    assert!(answer.log.starts_with(b"served"), "log: {}", answer.log.escape_ascii());
}

/// Returns the file that a program on this library has mapped.
fn file(library: Library) -> PathBuf {
    let path = match library {
        Library::Ours => dist().join("libfcgi.so.0"),
        Library::Original => original_library(),
    };
    fs::canonicalize(path).unwrap()
}
