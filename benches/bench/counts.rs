//! Counts per request, which do not depend on the machine's load: system calls (strace), heap calls
//! (heap.c, preloaded) and user instructions outside the program itself (callgrind).
//!
//! BENCH_PROFILES names a directory to which callgrind's profiles of the counted requests are copied. They
//! name functions if LIBFCGI_DIST has an unstripped library.
//!
//! A program makes a mark after its first requests, in its steady state, and another one after the counted
//! requests. The calls and instructions between the marks are counted.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::load::{Address, Client, Exchange, Outcome, listen};
use crate::programs::{Programs, start};
use crate::scenario::{COUNTED, Scenario};
use testkit::{LIMIT, Library, TempDir};

/// Callgrind counts a string instruction (rep movsb, rep stosb) once per byte, a processor once in all. The C
/// library uses them for large blocks only. This disables them for either library.
const NO_STRING_INSTRUCTIONS: &str =
    "glibc.cpu.x86_rep_movsb_threshold=1000000000:glibc.cpu.x86_rep_stosb_threshold=1000000000";

/// The number of counts of the instructions of several threads; the smallest one holds.
const TIMES: u32 = 3;

/// The cost of one request.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    pub(crate) system_calls: f64,
    pub(crate) by_name: BTreeMap<String, f64>,
    pub(crate) heap_calls: f64,
    pub(crate) instructions: f64,
}

/// A scenario on both libraries; `None` without a library to run it on.
pub(crate) struct Row {
    pub(crate) scenario: &'static Scenario,
    pub(crate) original: Counts,
    pub(crate) ours: Option<Counts>,
}

/// Counts every scenario whose title contains `only`.
pub(crate) fn count(programs: &Programs, only: &str) -> Vec<Row> {
    let chosen: Vec<&Scenario> = COUNTED.iter().filter(|s| s.title.contains(only)).collect();
    let done: Mutex<Vec<(usize, Row)>> = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(&scenario) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
            let at = chosen.iter().position(|s| std::ptr::eq(*s, scenario)).unwrap();
            let ours =
                scenario.program.is_built().then(|| costs(programs, scenario, Library::Ours));
            let original = costs(programs, scenario, Library::Original);
            done.lock().unwrap().push((at, Row { scenario, original, ours }));
        }
    };
    thread::scope(|scope| {
        let parallel = thread::available_parallelism().map_or(1, usize::from);
        (0..parallel).for_each(|_| {
            scope.spawn(work);
        });
    });
    let mut rows = done.into_inner().unwrap();
    rows.sort_by_key(|(at, _)| *at);
    rows.into_iter().map(|(_, row)| row).collect()
}

fn costs(programs: &Programs, scenario: &Scenario, library: Library) -> Counts {
    // The original serves one kept connection per thread; further ones would wait forever.
    let starves = scenario.kept && scenario.clients > scenario.threads;
    let clients =
        if starves && library == Library::Original { scenario.threads } else { scenario.clients };
    let scenario = Scenario { clients, ..*scenario };
    let (system_calls, by_name, heap_calls) = calls(programs, &scenario, library);
    // The order of several threads is chance, which adds to the count.
    let times = if scenario.threads > 1 { TIMES } else { 1 };
    let counted = (0..times).map(|_| instructions(programs, &scenario, library));
    let instructions = counted.fold(f64::INFINITY, f64::min);
    Counts { system_calls, by_name, heap_calls, instructions }
}

/// Runs the program inside the command `around` and sends it its requests.
fn serve(
    programs: &Programs,
    scenario: &Scenario,
    library: Library,
    dir: &TempDir,
    around: &[String],
) {
    let (socket, address) = listen(scenario.tcp, dir.path());
    let requests = scenario.warm_up() + scenario.requests + scenario.tail();
    let words = programs.words(scenario, scenario.warm_up(), scenario.requests);
    let words = [around, &words].concat();
    let driver = Driver::new(scenario, address);
    let queue = driver.queue(requests);
    let mut running = start(&words, Some(library), socket, &dir.join("log"));
    driver.drive(queue, requests);
    let status = running.wait(LIMIT);
    let log = fs::read_to_string(dir.join("log")).unwrap_or_default();
    assert!(
        status.is_some_and(|status| status.success()),
        "{}: {status:?} {words:?}\n{log}",
        scenario.title
    );
}

/// Sends a program its requests.
struct Driver<'a> {
    scenario: &'a Scenario,
    exchange: Exchange,
    address: Address,
    end: Instant,
}

impl<'a> Driver<'a> {
    fn new(scenario: &'a Scenario, address: Address) -> Self {
        let exchange = Exchange::of(scenario);
        Self { scenario, exchange, address, end: Instant::now() + LIMIT }
    }

    fn connect(&self) -> Client {
        let client = Client::connect(&self.address).unwrap();
        client.look_up_every(Duration::from_secs(1));
        client
    }

    fn receive(&self, client: &mut Client) {
        let outcome = client.receive(&self.exchange, self.end);
        assert_eq!(outcome, Outcome::Answered, "{}", self.scenario.title);
    }

    /// Opens connections and sends requests on them before the program starts; all of them, if each request
    /// has a connection of its own. Without this it would be chance whether the bytes have arrived when their
    /// connection is accepted, and in how many pieces a body is read. A large body needs a large buffer;
    /// without the right to have it, its request is sent when the program runs and reads it.
    fn queue(&self, requests: usize) -> Vec<Client> {
        let clients = if self.scenario.kept { self.scenario.clients } else { requests };
        let ask = |_| {
            let mut client = self.connect();
            client.make_room(self.exchange.request.len()).then(|| {
                client.send(&self.exchange);
                client
            })
        };
        (0..clients).map_while(ask).collect()
    }

    fn drive(&self, mut queue: Vec<Client>, requests: usize) {
        if self.scenario.kept {
            for left in (0..requests / queue.len()).rev() {
                queue.iter_mut().for_each(|client| self.receive(client));
                if left > 0 {
                    queue.iter_mut().for_each(|client| client.send(&self.exchange));
                }
            }
        } else if queue.is_empty() {
            for _ in 0..requests {
                let mut client = self.connect();
                client.send(&self.exchange);
                self.receive(&mut client);
            }
        } else {
            // Each connection closes when it is answered; the original waits for that.
            queue.into_iter().for_each(|mut client| self.receive(&mut client));
        }
    }
}

/// Counts system calls per request, in all and by name, and heap calls per request.
fn calls(
    programs: &Programs,
    scenario: &Scenario,
    library: Library,
) -> (f64, BTreeMap<String, f64>, f64) {
    let dir = TempDir::new();
    let path = |name: &str| dir.join(name).display().to_string();
    let around = [
        "strace".to_owned(),
        "-f".to_owned(),
        "-qq".to_owned(),
        "-s0".to_owned(),
        format!("-o{}", path("strace")),
        format!("-ELD_PRELOAD={}", programs.path("heap.so").display()),
        format!("-EHEAP_COUNT={}", path("heap")),
    ];
    serve(programs, scenario, library, &dir, &around);
    let text = fs::read_to_string(dir.join("strace")).unwrap();
    let requests = scenario.requests as f64;
    let mut by_name = BTreeMap::new();
    for name in between_marks(&text) {
        *by_name.entry(name.to_owned()).or_insert(0.0) += 1.0 / requests;
    }
    let heap = fs::read_to_string(dir.join("heap")).unwrap();
    let heap: f64 = heap.trim().parse().unwrap();
    (by_name.values().sum(), by_name, heap / requests)
}

/// Returns the names of the system calls that begin between the marks in strace's output.
fn between_marks(text: &str) -> impl Iterator<Item = &str> {
    let mut marks = 0;
    text.lines().filter_map(move |line| {
        let name = name_of_call(line)?;
        if name == "getppid" {
            marks += 1;
        }
        (marks == 1 && name != "getppid").then_some(name)
    })
}

/// Returns the name of the system call that begins in a line of strace's output.
pub(crate) fn name_of_call(line: &str) -> Option<&str> {
    let call = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
    let (name, _) = call.split_once('(')?;
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_').then_some(name)
}

/// Counts user instructions per request outside the program itself.
fn instructions(programs: &Programs, scenario: &Scenario, library: Library) -> f64 {
    let dir = TempDir::new();
    let out = dir.join("callgrind").display().to_string();
    let around = [
        "env".to_owned(),
        format!("GLIBC_TUNABLES={NO_STRING_INSTRUCTIONS}"),
        "valgrind".to_owned(),
        "-q".to_owned(),
        "--tool=callgrind".to_owned(),
        "--dump-before=mark".to_owned(),
        format!("--callgrind-out-file={out}"),
    ];
    serve(programs, scenario, library, &dir, &around);
    // The first file ends at the first mark, the second file at the second.
    let text = fs::read_to_string(format!("{out}.2")).unwrap();
    if let Some(keep) = std::env::var_os("BENCH_PROFILES") {
        let name = format!("{}-{library:?}", scenario.title.replace([' ', '/'], "_"));
        fs::write(std::path::Path::new(&keep).join(name), &text).unwrap();
    }
    let program = programs.path(scenario.program.name()).display().to_string();
    outside(&text, &program) / scenario.requests as f64
}

/// Adds up what a callgrind profile counts in objects other than `program`.
fn outside(profile: &str, program: &str) -> f64 {
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    let (mut inside, mut inclusive, mut sum) = (false, false, 0.0);
    for line in profile.lines() {
        if let Some(object) = line.strip_prefix("ob=").or_else(|| line.strip_prefix("cob=")) {
            // "(number) name" the first time, "(number)" after that.
            let (number, name) = object.split_once(' ').unwrap_or((object, ""));
            if !name.is_empty() {
                names.insert(number, name);
            }
            if line.starts_with("ob=") {
                inside = names.get(number) == Some(&program);
            }
        } else if line.starts_with("calls=") {
            inclusive = true;
        } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
            // A position and a cost. After "calls=" it is the cost of the called function, which is counted
            // there.
            let cost: f64 = line.split(' ').nth(1).map_or(0.0, |cost| cost.parse().unwrap());
            if !inclusive && !inside {
                sum += cost;
            }
            inclusive = false;
        }
    }
    sum
}
