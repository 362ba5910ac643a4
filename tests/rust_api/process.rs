//! Processes of `examples/echo.rs`: descriptors, shutting down, and the listen socket afterwards.

use std::env;
use std::fs::{self, File};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use fcgi::internals::os::descriptor::is_nonblocking;
use testkit::wire::{Connection, begin, is_complete, output, params, request, stdin, text};
use testkit::{PATIENCE, Running, TempDir, root, run, until, until_asleep};

use super::bytes;

/// Builds the example, once. cargo test does not where it is told which tests to run.
fn example() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let program = env::current_exe().unwrap();
        let profile = program.ancestors().nth(2).unwrap();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--locked", "--quiet", "--example", "echo"]).current_dir(root(""));
        cargo.arg("--target-dir").arg(profile.parent().unwrap());
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        run(&mut cargo, Duration::from_secs(600)).must_succeed();
        profile.join("examples/echo")
    };
    BUILT.get_or_init(build).clone()
}

/// A running example, whose listen socket is descriptor 0.
struct Program {
    // The order matters: the program ends before its directory goes.
    running: Running,
    socket: UnixListener,
    dir: TempDir,
}

impl Program {
    fn start(threads: usize) -> Self {
        let dir = TempDir::new();
        let socket = UnixListener::bind(dir.join("socket")).unwrap();
        let mut command = Command::new(example());
        command.arg(threads.to_string()).current_dir(dir.path());
        command.stdin(OwnedFd::from(socket.try_clone().unwrap()));
        command.stderr(File::create(dir.join("stderr")).unwrap());
        Self { running: Running::start(&mut command), socket, dir }
    }

    fn connect(&self) -> Connection {
        Connection::open(&self.dir.join("socket"))
    }

    /// Returns how many descriptors it has.
    fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.running.pid())).unwrap().count()
    }

    /// Asserts that it ends well, and has restored the flags of its listen socket.
    fn ends_well(mut self) {
        let status = self.running.wait(PATIENCE).expect("the program goes on");
        assert_eq!(fs::read_to_string(self.dir.join("stderr")).unwrap(), "");
        assert_eq!(status.code(), Some(0));
        assert!(!is_nonblocking(self.socket.as_raw_fd()).unwrap());
    }
}

/// Serves one request; returns whether the answer is whole.
fn serves(connection: &mut Connection, id: u16, keep: bool) -> bool {
    connection.send(&request(id, keep, &[("NAME", "value")], b"body"));
    let records = connection.until_end_of(id);
    is_complete(&records) && text(&records).ends_with("NAME=value\n\nbody")
}

#[test]
fn a_process_serves_kept_and_new_connections_with_the_same_descriptors() {
    for threads in [1, 4] {
        let program = Program::start(threads);
        let mut kept = program.connect();
        let mut before = 0;
        for id in 1..=200 {
            assert!(serves(&mut kept, id, true));
            assert!(serves(&mut program.connect(), id, false));
            if id == 100 {
                before = program.descriptors();
            }
        }
        until("descriptors to be closed", PATIENCE, || {
            (program.descriptors() <= before).then_some(())
        });
        program.running.signal("TERM");
        program.ends_well();
        kept.until_closed();
    }
}

#[test]
fn a_process_answers_300_kilobytes() {
    let program = Program::start(1);
    let mut connection = program.connect();
    connection.send(&request(1, false, &[], &bytes(300_000)));
    assert!(output(&connection.until_closed()).ends_with(&bytes(300_000)));
}

#[test]
fn a_signal_ends_an_idle_process() {
    for threads in [1, 3] {
        for signal in ["TERM", "USR1"] {
            let program = Program::start(threads);
            assert!(serves(&mut program.connect(), 1, false));
            until_asleep(program.running.pid());
            program.running.signal(signal);
            program.ends_well();
        }
    }
}

#[test]
fn a_signal_ends_a_busy_process_after_its_answer() {
    for (threads, keep) in [(1, false), (1, true), (3, true)] {
        let program = Program::start(threads);
        let mut connection = program.connect();
        assert!(serves(&mut connection, 1, true));
        connection.send(&[begin(2, keep), params(2, &[("NAME", "value")])].concat());
        connection.until_read();
        until_asleep(program.running.pid());
        program.running.signal("TERM");
        connection.send(&stdin(2, b"body"));
        let records = connection.until_closed();
        assert!(is_complete(&records) && text(&records).ends_with("value\n\nbody"));
        program.ends_well();
    }
}

#[test]
fn a_process_without_a_listen_socket_says_so() {
    let ended = run(&mut Command::new(example()), PATIENCE);
    assert_eq!(ended.code, Some(1), "{ended}");
    assert!(ended.stderr.starts_with("echo: "), "{ended}");
}
