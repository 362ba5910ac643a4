//! A program of these tests, and the web server's side of its connections.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::thread;

use fcgi::internals::protocol::RecordType;
use fcgi::internals::protocol::name_value::encode_length;
use testkit::wire::{self, Connection};
use testkit::{Library, Running, SERVED, TempDir, mapped, signal, until_asleep};

/// Parameters: names and values.
pub(super) type Params<'a> = &'a [(&'a [u8], &'a [u8])];

/// Whether the web server asks to keep the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Close,
    Keep,
}

/// What a request was answered with.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) output: Vec<u8>,
    /// What came on the error stream.
    pub(super) log: Vec<u8>,
}

/// A running program with a unix socket as descriptor 0.
pub(super) struct Program {
    // The order matters: the program ends before its directory goes.
    running: Running,
    dir: TempDir,
}

impl Program {
    pub(super) fn start(command: &mut Command, library: Library) -> Self {
        let dir = TempDir::new();
        let socket = OwnedFd::from(UnixListener::bind(dir.join("socket")).unwrap());
        // What it says stays in the directory of a test that has failed.
        let file = |name: &str| File::create(dir.join(name)).unwrap();
        command.stdin(socket).stdout(file("stdout")).stderr(file("stderr"));
        Self { running: Running::start(library.under(command)), dir }
    }

    pub(super) fn connect(&self) -> Client {
        let writer = UnixStream::connect(self.dir.join("socket")).unwrap();
        let connection = Connection::on(writer.try_clone().unwrap().into());
        Client { writer, connection }
    }

    /// Returns the library that the program has mapped.
    pub(super) fn library(&self) -> PathBuf {
        mapped(self.running.pid())
    }

    pub(super) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.running.pid())).unwrap().count()
    }

    /// Sends SIGTERM to the program while it waits for a request, and returns how it ended.
    pub(super) fn terminate(mut self) -> ExitStatus {
        until_asleep(self.running.pid());
        signal(self.running.pid(), libc::SIGTERM);
        self.running.wait(SERVED).expect("SIGTERM ends the program")
    }
}

/// A connection to a program.
pub(super) struct Client {
    writer: UnixStream,
    pub(super) connection: Connection,
}

impl Client {
    /// Sends a request without reading the answer.
    pub(super) fn send(&mut self, then: Then, params: Params) {
        self.connection.send(&request(then, params, b""));
    }

    /// Sends a request, reads its answer meanwhile, and returns it.
    pub(super) fn ask(&mut self, then: Then, params: Params, body: &[u8]) -> Answer {
        let Self { writer, connection } = self;
        let bytes = request(then, params, body);
        thread::scope(|scope| {
            scope.spawn(move || writer.write_all(&bytes).unwrap());
            answer_on(connection)
        })
    }

    /// Returns the answer to the request that was sent.
    pub(super) fn answer(&mut self) -> Answer {
        answer_on(&mut self.connection)
    }
}

fn answer_on(connection: &mut Connection) -> Answer {
    let records = connection.until_end_of(1);
    let end = records.last().and_then(wire::Record::end_request).unwrap();
    assert_eq!(end.app_status, 0, "{end:?}");
    let log = records.iter().filter(|record| record.kind == RecordType::STDERR);
    let log = log.flat_map(|record| record.content.clone()).collect();
    Answer { output: wire::output(&records), log }
}

fn request(then: Then, params: Params, body: &[u8]) -> Vec<u8> {
    let mut pairs = Vec::new();
    for (name, value) in params {
        for bytes in [name, value] {
            let (length, n) = encode_length(bytes.len()).unwrap();
            pairs.extend_from_slice(&length[..n]);
        }
        pairs.extend_from_slice(name);
        pairs.extend_from_slice(value);
    }
    let params = wire::stream(RecordType::PARAMS, 1, &pairs);
    [wire::begin(1, then == Then::Keep), params, wire::stdin(1, body)].concat()
}
