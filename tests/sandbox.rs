//! Sandboxes and old kernels, where the system refuses some calls. libfcgi(7) lists the calls of
//! the library. Whichever call that the original does not make is refused, the program goes on
//! serving or Accept returns the reason, and the program never keeps the processor busy.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::net::TcpListener;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use testkit::wire::{Connection, output, request};
use testkit::{
    Library, PATIENCE, Running, TempDir, compile, need, processor_time, root, run, scratch, signal,
    until_asleep, until_in,
};

/// How long the test watches an idle program.
const WATCHED: Duration = Duration::from_millis(300);

/// The programs of tests/sandbox, in cargo's target directory.
struct Built {
    serve: PathBuf,
    filter: PathBuf,
}

fn built() -> &'static Built {
    static BUILT: OnceLock<Built> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target = scratch();
        let (serve, filter) = (target.join("sandbox-serve"), target.join("sandbox-filter.so"));
        let new = target.join(format!("sandbox.{}", std::process::id()));
        compile(&root("tests/sandbox/serve.c"), Library::Ours, &new)
            .unwrap_or_else(|error| panic!("{error}"));
        // The rename is atomic, because another test process may be starting the program at this
        // moment.
        fs::rename(&new, &serve).unwrap();
        let mut cc = Command::new("cc");
        cc.args(["-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"]).arg(&new);
        cc.arg(root("tests/sandbox/filter.c"));
        run(&mut cc, PATIENCE).must_succeed();
        fs::rename(&new, &filter).unwrap();
        Built { serve, filter }
    })
}

/// A running serve.c.
struct Program {
    // The fields are in this order so that the program ends before its directory is removed.
    running: Running,
    dir: TempDir,
}

impl Program {
    /// Starts it under another command. `names` are further listen sockets.
    fn start(around: &[&str], library: Library, threads: &str, names: &[&str]) -> Self {
        let dir = TempDir::new();
        let words = around.iter().map(Path::new).chain([built().serve.as_path()]);
        let words: Vec<&Path> = words.collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args([threads, "socket"]).args(names).current_dir(dir.path());
        let file = |name| File::create(dir.join(name)).unwrap();
        command.stdin(Stdio::null()).stdout(file("stdout")).stderr(file("stderr"));
        Self { running: Running::start(library.under(&mut command)), dir }
    }

    fn connect(&self) -> Connection {
        Connection::open(&self.dir.join("socket"))
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).unwrap()
    }

    /// Waits for the end of the program, and returns the result of Accept in each thread.
    fn results(&mut self) -> Vec<i32> {
        let status = self.running.wait(PATIENCE);
        assert!(
            status.is_some_and(|status| status.success()),
            "{status:?} {}",
            self.text("stderr")
        );
        self.text("stdout").lines().map(|line| line.parse().unwrap()).collect()
    }
}

/// Sends a request, and returns the length of the response.
fn ask(connection: &mut Connection, keep: bool, list: &[(&str, &str)], body: usize) -> usize {
    connection.send(&request(1, keep, list, &vec![b'x'; body]));
    output(&connection.until_end_of(1)).len()
}

/// Returns a connection that has carried two requests.
fn kept(program: &Program) -> Connection {
    let mut connection = program.connect();
    for body in [1, 30_000] {
        assert_eq!(ask(&mut connection, true, &[], body), body);
    }
    connection
}

/// Does everything that makes the library call the system: small and large bodies and responses, a
/// body that is not read to its end, a child, kept and idle connections.
fn exercise(program: &Program) {
    for (list, body, answer) in [
        (&[][..], 1, 1),
        (&[], 150_000, 150_000),
        (&[("READ", "10")], 60_000, 10),
        (&[("FORK", "")], 20_000, 20_000),
    ] {
        assert_eq!(ask(&mut program.connect(), false, list, body), answer, "{list:?}");
    }
    drop(kept(program));
    assert_eq!(ask(&mut program.connect(), false, &[], 2), 2);
}

// ---- which calls ----

const STRACE: [&str; 9] = ["strace", "-f", "-qq", "-s", "0", "-e", "signal=none", "-o", "trace"];

/// Returns the names of the calls in a trace.
fn names(trace: &str) -> BTreeSet<String> {
    let names = trace.lines().filter_map(|line| {
        let call = line.split_once(' ')?.1.trim_start();
        let call = call.strip_prefix("<... ").unwrap_or(call);
        let end = call.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
        (end > 0).then(|| call[..end].to_owned())
    });
    names.collect()
}

/// Returns the calls of a program under strace.
fn calls(
    library: Library,
    threads: &str,
    names_besides: &[&str],
    work: fn(&Program),
) -> BTreeSet<String> {
    let mut program = Program::start(&STRACE, library, threads, names_besides);
    drop(program.connect());
    let process = program.text("trace").split_once(' ').unwrap().0.parse().unwrap();
    work(&program);
    until_asleep(process);
    signal(process, libc::SIGTERM);
    if library == Library::Original && threads != "0" {
        // The other threads of the original go on waiting.
        signal(process, libc::SIGKILL);
    }
    assert!(program.running.wait(PATIENCE).is_some(), "the program has not ended");
    names(&program.text("trace"))
}

/// Returns the calls of all kinds of programs.
fn all_calls(library: Library) -> BTreeSet<String> {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let name = format!("127.0.0.1:{port}");
    let mut all = calls(library, "0", &["other", "other", &name], |_| {});
    all.extend(calls(library, "0", &[], exercise));
    all.extend(calls(library, "2", &[], exercise));
    all
}

/// Returns the calls of a program that ends before it calls the library.
fn calls_of_starting(library: Library) -> BTreeSet<String> {
    let mut program = Program::start(&STRACE, library, "9", &[]);
    assert!(program.running.wait(PATIENCE).is_some());
    names(&program.text("trace"))
}

/// The calls that serve.c makes itself, for memory, children and threads.
const ITS_OWN: [&str; 10] = [
    "clone",
    "clone3",
    "exit",
    "futex",
    "getrandom",
    "madvise",
    "rseq",
    "rt_sigprocmask",
    "set_robust_list",
    "wait4",
];

/// Returns the calls in one list of libfcgi(7).
fn listed(heading: &str) -> BTreeSet<String> {
    let page = fs::read_to_string(root("man/libfcgi.7")).unwrap();
    let list = page.split_once(heading).unwrap().1.split_once("\n.Bd").unwrap().1;
    let words = list.lines().skip(1).take_while(|line| *line != ".Ed");
    words.flat_map(str::split_whitespace).map(str::to_owned).collect()
}

fn listed_besides() -> BTreeSet<String> {
    listed("and besides:")
}

#[test]
fn the_manual_lists_the_system_calls() {
    need("strace", "/usr/bin/strace");
    let others = |mut calls: BTreeSet<String>| {
        calls.retain(|call| !ITS_OWN.contains(&call.as_str()));
        calls
    };
    let [original, ours] = Library::BOTH.map(all_calls);
    let [start, our_start] = Library::BOTH.map(calls_of_starting);
    assert_eq!(&listed("makes, too:") - &start, others(&original - &start));
    assert_eq!(listed_besides(), others(&(&ours - &original) - &our_start));
}

// ---- refused ----

/// Returns the number of a system call.
fn number(call: &str) -> libc::c_long {
    match call {
        "accept4" => libc::SYS_accept4,
        "dup3" => libc::SYS_dup3,
        "epoll_create1" => libc::SYS_epoll_create1,
        "epoll_ctl" => libc::SYS_epoll_ctl,
        "epoll_wait" => libc::SYS_epoll_wait,
        "fcntl" => libc::SYS_fcntl,
        "getsockopt" => libc::SYS_getsockopt,
        "gettid" => libc::SYS_gettid,
        "poll" => libc::SYS_poll,
        "readv" => libc::SYS_readv,
        "recvfrom" => libc::SYS_recvfrom,
        "sendmsg" => libc::SYS_sendmsg,
        "sendto" => libc::SYS_sendto,
        "shutdown" => libc::SYS_shutdown,
        "socketpair" => libc::SYS_socketpair,
        "statx" => libc::SYS_statx,
        _ => panic!("{call}"),
    }
}

/// The point from which calls are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// Before the program starts.
    Nothing,
    /// After FCGX_Init and FCGX_OpenSocket.
    Init,
    /// After the second request.
    Requests,
}

/// Starts a program in a sandbox.
fn sandboxed(library: Library, calls: &[&str], error: i32, after: After, threads: &str) -> Program {
    let numbers: Vec<String> = calls.iter().map(|call| number(call).to_string()).collect();
    let preload = format!("LD_PRELOAD={}", built().filter.display());
    let (calls, error) = (format!("REFUSE={}", numbers.join(",")), format!("REFUSE_WITH={error}"));
    let words = ["env", &*preload, &*calls, &*error];
    let from = match after {
        After::Nothing => None,
        After::Init => Some("REFUSE_FROM=0"),
        After::Requests => Some("REFUSE_FROM=2"),
    };
    let words: Vec<&str> = words.into_iter().chain(from).collect();
    Program::start(&words, library, threads, &[])
}

/// Returns `result` once for each thread.
fn results(threads: &str, result: i32) -> Vec<i32> {
    vec![result; threads.parse::<usize>().unwrap().max(1)]
}

/// Asserts that the program does everything it does elsewhere, rests while idle, and ends on
/// SIGTERM.
fn serves(mut program: Program, threads: &str) {
    let process = program.running.pid();
    drop(kept(&program));
    exercise(&program);
    let mut kept = program.connect();
    assert_eq!(ask(&mut kept, true, &[], 7), 7);
    let before = processor_time(process);
    assert!(kept.is_silent(WATCHED));
    let used = processor_time(process) - before;
    assert!(used <= WATCHED / 3, "{used:?} of processor time");
    signal(process, libc::SIGTERM);
    assert_eq!(program.results(), results(threads, -libc::EINTR));
}

/// Runs the program in a sandbox that refuses one call.
fn run_without(call: &str, error: i32, after: After, threads: &str) {
    let mut program = sandboxed(Library::Ours, &[call], error, after, threads);
    match (call, after, threads) {
        // Without fcntl, executed programs would not inherit the listen socket.
        ("fcntl", After::Nothing, _) => {
            let status = program.running.wait(PATIENCE).unwrap();
            assert_eq!(status.code(), Some(2), "a listen socket");
            assert!(program.text("stderr").starts_with("libfcgi: cannot listen on socket: "));
        }
        // Threads that wait together must not block in accept.
        ("fcntl", After::Init, "2") => {
            assert_eq!(program.results(), results(threads, -error));
        }
        // The library waits in epoll_wait for a connection that it watches.
        ("epoll_wait", After::Requests, _) => {
            let mut kept = program.connect();
            assert_eq!(ask(&mut kept, true, &[], 1), 1);
            until_in(program.running.pid(), &[libc::SYS_epoll_wait]);
            assert_eq!(ask(&mut kept, true, &[], 1), 1);
            assert_eq!(program.results(), results(threads, -error));
        }
        _ => serves(program, threads),
    }
}

#[test]
fn whatever_is_refused_the_program_serves_on_or_accept_says_why() {
    // The original needs the last two as well.
    let calls: Vec<String> =
        listed_besides().into_iter().chain(["poll", "shutdown"].map(str::to_owned)).collect();
    let without = |call: &str, error, after, threads| {
        let done = catch_unwind(|| run_without(call, error, after, threads));
        assert!(done.is_ok(), "without {call} (errno {error}), {after:?}, {threads} threads");
    };
    thread::scope(|scope| {
        for call in &calls {
            scope.spawn(move || {
                for error in [libc::EPERM, libc::ENOSYS] {
                    for after in [After::Nothing, After::Init, After::Requests] {
                        for threads in ["0", "2"] {
                            without(call, error, after, threads);
                        }
                    }
                }
            });
        }
    });
}

/// A filter written for the original works with both libraries.
#[test]
fn nothing_is_needed_but_fcntl_that_the_original_does_not_need() {
    let besides = listed_besides();
    let others: Vec<&str> =
        besides.iter().map(String::as_str).filter(|call| *call != "fcntl").collect();
    for error in [libc::EPERM, libc::ENOSYS] {
        for after in [After::Nothing, After::Init] {
            serves(sandboxed(Library::Original, &others, error, after, "0"), "0");
            for threads in ["0", "2"] {
                serves(sandboxed(Library::Ours, &others, error, after, threads), threads);
            }
        }
    }
}

// ---- old kernels ----

/// Linux before 4.5 does not support an exclusive watch on the listen socket.
#[test]
fn a_kernel_may_not_know_the_exclusive_watch() {
    need("strace", "/usr/bin/strace");
    let inject = "inject=epoll_ctl:error=EINVAL:when=2";
    let strace = ["strace", "-f", "-qq", "-o", "trace", "-e", "trace=epoll_ctl", "-e", inject];
    let program = Program::start(&strace, Library::Ours, "1", &[]);
    exercise(&program);
    let trace = program.text("trace");
    let refused = |line: &str| line.contains("EPOLLEXCLUSIVE") && line.contains("(INJECTED)");
    assert!(trace.lines().any(refused), "{trace}");
}
