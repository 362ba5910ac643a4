//! System calls that fail or do less than asked, failing allocations, and a program that is killed.
//! The faults follow a schedule from a seed (faults/faults.c). Each response is right, or the
//! connection ends within it: there is no wrong byte, no crash and no endless wait.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use fcgi::internals::protocol::RecordType;
use testkit::wire::{Connection, Record, is_complete, records, request};
use testkit::{Library, Numbers, PATIENCE, Running, TempDir, compile, helper, root, run, scratch};

/// The number of requests per test; a test that looks for something rare sends more.
const REQUESTS: usize = 10_000;

const CLIENTS: usize = 8;

/// The programs, which check every result.
#[derive(Clone, Copy, Debug)]
enum Program {
    /// careful.c, on fcgiapp.h.
    Accept,
    /// requests.c of testkit, on fcgi_request.h: FCGX_RequestNext waits.
    Next,
    /// The same with an event loop in each thread.
    EventLoop,
}

impl Program {
    const ALL: [Self; 3] = [Self::Accept, Self::Next, Self::EventLoop];

    /// Returns the program and its arguments.
    fn command(self, threads: usize) -> (PathBuf, Vec<String>) {
        let threads = threads.to_string();
        let (program, words) = match self {
            Self::Accept => (careful(), &["socket", &threads][..]),
            Self::Next => (requests(), &["-b", "-o", "socket", "-t", &threads][..]),
            Self::EventLoop => (requests(), &["-e", "-b", "-o", "socket", "-t", &threads][..]),
        };
        (program, words.iter().map(|&word| word.to_owned()).collect())
    }
}

fn requests() -> PathBuf {
    helper("requests", Library::Ours)
}

/// Returns careful.c, which is built once.
fn careful() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let program = scratch().join("careful");
        compile(&root("tests/faults/careful.c"), Library::Ours, &program).unwrap();
        program
    };
    BUILT.get_or_init(build).clone()
}

/// Returns the preloaded library, which is built once.
fn preloaded() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let faults = scratch().join("faults.so");
        let mut cc = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
        cc.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o"]);
        cc.arg(&faults).arg(root("tests/faults/faults.c")).arg("-ldl");
        run(&mut cc, Duration::from_secs(60)).must_succeed();
        faults
    })
}

/// A running program.
struct Careful {
    running: Running,
    dir: TempDir,
}

impl Careful {
    fn start(program: Program, threads: usize, faults: &[(&str, usize)]) -> Self {
        Self::start_in(TempDir::new(), program, threads, faults)
    }

    fn start_in(dir: TempDir, program: Program, threads: usize, faults: &[(&str, usize)]) -> Self {
        let (program, words) = program.command(threads);
        fs::write(dir.join("count"), [0; 8]).unwrap();
        let mut command = Command::new(program);
        command.args(words).current_dir(dir.path());
        command.stdin(Stdio::null()).stderr(File::create(dir.join("stderr")).unwrap());
        if !faults.is_empty() {
            command.env("LD_PRELOAD", preloaded()).env("FAULTS_COUNT", dir.join("count"));
            command.envs(faults.iter().map(|(name, value)| (name, value.to_string())));
        }
        let running = Running::start(Library::Ours.under(&mut command));
        Self { running, dir }
    }

    fn connect(&self) -> UnixStream {
        let stream = Connection::open(&self.dir.join("socket")).into_stream();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Returns how many calls were made to fail or do less.
    fn touched(&self) -> u64 {
        u64::from_ne_bytes(fs::read(self.dir.join("count")).unwrap().try_into().unwrap())
    }
}

/// Sends a request. If the peer has ended the connection, the rest is lost.
fn send(mut stream: &UnixStream, bytes: &[u8]) {
    let _ = stream.write_all(bytes);
}

/// Returns the whole records up to END_REQUEST or the end of the connection.
fn answer(mut stream: &UnixStream) -> Vec<Record> {
    let (mut received, mut chunk) = (Vec::new(), vec![0; 1 << 17]);
    loop {
        let (list, _) = records(&received);
        if is_complete(&list) {
            return list;
        }
        match stream.read(&mut chunk) {
            Ok(0) => return list,
            Ok(n) => received.extend_from_slice(&chunk[..n]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("no answer, no end"),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return list,
        }
    }
}

/// Returns a body in which different positions differ.
fn body(length: usize, start: usize) -> Vec<u8> {
    (start..start + length).map(|n| (n % 251) as u8).collect()
}

/// Returns whether the response to a body is complete, and panics when it is wrong.
fn is_whole(records: &[Record], body: &[u8]) -> bool {
    let mut output = Vec::new();
    let mut ended = false;
    for record in records {
        assert_eq!(record.id, 1, "{record:?}");
        assert!(!ended, "after the end: {record:?}");
        match record.kind {
            RecordType::STDOUT => output.extend_from_slice(&record.content),
            // With any status but FCGI_REQUEST_COMPLETE, the program never saw the request.
            RecordType::END_REQUEST => ended = record.content[4] == 0,
            _ => panic!("{record:?}"),
        }
    }
    let broken = output.strip_suffix(b"\nbroken");
    let told = broken.unwrap_or(&output);
    assert!(body.starts_with(told), "{} bytes of {} are wrong", told.len(), body.len());
    let whole = ended && broken.is_none();
    assert!(!whole || told.len() == body.len(), "{} of {} bytes", told.len(), body.len());
    whole
}

/// Sends requests one after the other, with up to `most` parameters, and returns how many were
/// answered completely.
fn client(program: &Careful, number: usize, requests: usize, most: usize) -> usize {
    let mut numbers = Numbers(number as u64);
    let mut kept: Option<UnixStream> = None;
    let mut complete = 0;
    for round in 0..requests {
        let largest = [10, 3000, 100_000][numbers.below(3)];
        let body = body(numbers.below(largest), round);
        let keep = numbers.below(2) == 0;
        let stream = kept.take().unwrap_or_else(|| program.connect());
        let list: Vec<_> =
            (0..=numbers.below(most)).map(|n| (format!("ROUND_{n}"), round)).collect();
        let list: Vec<_> = list.iter().map(|(name, n)| (name, n.to_string())).collect();
        let list: Vec<_> =
            list.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let bytes = request(1, keep, &list, &body);
        // Both directions are busy: the response to a large body begins before the body ends.
        let records = thread::scope(|scope| {
            scope.spawn(|| send(&stream, &bytes));
            answer(&stream)
        });
        if is_whole(&records, &body) {
            complete += 1;
            kept = keep.then_some(stream);
        }
    }
    complete
}

/// Runs all clients, and returns how many requests were answered completely.
fn exercise(program: &Careful, requests: usize, most: usize) -> usize {
    let complete = AtomicUsize::new(0);
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let complete = &complete;
            scope.spawn(move || {
                let share = requests / CLIENTS;
                complete.fetch_add(client(program, number, share, most), Ordering::Relaxed);
            });
        }
    });
    complete.into_inner()
}

/// Serves requests with each program, while one in `one_in` calls of the kind that `kind` names fails.
fn with_faults(threads: usize, kind: &str, one_in: usize, requests: usize, most: usize) {
    for program in Program::ALL {
        one_with_faults(program, threads, (kind, one_in), requests, most);
    }
}

fn one_with_faults(
    program: Program,
    threads: usize,
    (kind, one_in): (&str, usize),
    requests: usize,
    most: usize,
) {
    println!("{program:?}");
    let mut program = Careful::start(program, threads, &[("FAULTS_SEED", seed()), (kind, one_in)]);
    let complete = exercise(&program, requests, most);
    let faults = program.touched();
    println!("{threads} threads, {kind}: {complete} of {requests} complete, {faults} faults");
    assert!(program.running.ended().is_none(), "the program has ended");
    assert!(faults as usize > requests / one_in, "only {faults} faults");
    assert!(complete > requests / 2, "only {complete} of {requests} answers");
}

#[test]
fn without_faults_every_answer_is_complete() {
    for program in Program::ALL {
        let program = Careful::start(program, 4, &[]);
        assert_eq!(exercise(&program, 800, 1), 800);
    }
}

/// Returns the seed of the schedules, the same in every run unless LIBFCGI_FAULTS_SEED is set.
fn seed() -> usize {
    std::env::var("LIBFCGI_FAULTS_SEED").map_or(1, |text| text.parse().unwrap())
}

#[test]
fn calls_that_fail_on_one_thread() {
    with_faults(1, "FAULTS_CALLS", 20, REQUESTS / 2, 1);
}

#[test]
fn calls_that_fail_on_several_threads() {
    with_faults(4, "FAULTS_CALLS", 20, REQUESTS / 2, 1);
}

/// So many parameters that their memory is freed afterwards and allocated again.
const MANY: usize = 5000;

#[test]
fn no_memory_on_one_thread() {
    with_faults(1, "FAULTS_MEMORY", 30, REQUESTS / 4, MANY);
}

#[test]
fn no_memory_on_several_threads() {
    with_faults(4, "FAULTS_MEMORY", 30, REQUESTS / 4, MANY);
}

/// Every third call fails.
#[test]
fn calls_that_fail_all_the_time() {
    for program in Program::ALL {
        let program = Careful::start(program, 2, &[("FAULTS_SEED", seed()), ("FAULTS_CALLS", 3)]);
        exercise(&program, 400, 1);
        assert!(program.touched() > 400);
    }
}

/// A program that was killed in the middle of requests can be restarted on the same socket
/// immediately.
#[test]
fn killed_and_started_again() {
    let mut dir = TempDir::new();
    for (round, program) in Program::ALL.into_iter().cycle().take(6).enumerate() {
        let mut program = Careful::start_in(dir, program, 2, &[]);
        let half = program.connect();
        let bytes = request(1, true, &[], &body(5000, round));
        send(&half, &bytes[..bytes.len() - 100]);
        let good = program.connect();
        send(&good, &request(1, false, &[], &body(3000, round)));
        assert!(is_whole(&answer(&good), &body(3000, round)));
        program.running.signal("KILL");
        assert!(program.running.wait(PATIENCE).is_some());
        // What it had sent is right, and nothing follows it.
        assert!(!is_whole(&answer(&half), &body(5000, round)));
        dir = program.dir;
    }
}

/// The first output to STDERR allocates the buffer of that stream.
#[test]
fn no_memory_for_the_error_stream() {
    let dir = TempDir::new();
    let program = dir.join("error_stream");
    compile(&root("tests/faults/error_stream.c"), Library::Ours, &program).unwrap();
    let mut command = Command::new(&program);
    let ended = run(Library::Ours.under(command.current_dir(dir.path())), PATIENCE);
    let wanted = "\
accept 0
put -1, no memory 1
  STDOUT 1: \"output\"
  STDOUT 1: end
  END_REQUEST 1: 3 REQUEST_COMPLETE
  closed
accept 0
put 5, no memory 0
  STDERR 1: \"error\"
  STDERR 1: end
  STDOUT 1: \"output\"
  STDOUT 1: end
  END_REQUEST 1: 3 REQUEST_COMPLETE
  closed
";
    assert_eq!(ended.must_succeed(), wanted);
}
