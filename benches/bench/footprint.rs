//! What a process pays for the library before and between requests: the file's size, resident memory, and the
//! time to start.

use std::fs;
use std::time::{Duration, Instant};

use crate::load::{Address, Client, Exchange, Outcome, listen};
use crate::programs::{Programs, start};
use crate::scenario::{RESIDENT, Scenario};
use crate::times::Spread;
use testkit::{LIMIT, Library, Running, TempDir, dist};

/// Requests on each connection before memory is measured.
const REQUESTS: usize = 100;

/// Starts of each library, alternating.
const STARTS: usize = 60;

/// Resident memory of a process, in KB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Private memory.
    pub(crate) anonymous: f64,
    /// Including pages of files, which processes share.
    pub(crate) all: f64,
}

/// Resident memory after one scenario.
pub(crate) struct Resident {
    pub(crate) scenario: &'static Scenario,
    pub(crate) ours: Memory,
    pub(crate) original: Memory,
}

/// The size of each library's file, in bytes.
pub(crate) struct Sizes {
    pub(crate) ours: u64,
    pub(crate) original: u64,
}

/// A program that serves a scenario until it is dropped.
struct Served {
    running: Running,
    address: Address,
    _dir: TempDir,
}

fn serve(programs: &Programs, scenario: &Scenario, library: Library) -> Served {
    let dir = TempDir::new();
    let (socket, address) = listen(scenario.tcp, dir.path());
    let words = programs.words(scenario, 0, 1_000_000_000);
    let running = start(&words, Some(library), socket, &dir.join("log"));
    Served { running, address, _dir: dir }
}

fn ask_once(client: &mut Client, exchange: &Exchange) {
    let end = Instant::now() + LIMIT;
    assert_eq!(client.receive(exchange, end), Outcome::Answered, "no answer");
}

impl Served {
    fn connect(&self) -> Client {
        let client = Client::connect(&self.address).unwrap();
        client.look_up_every(Duration::from_secs(1));
        client
    }

    /// Returns a number of /proc/PID/smaps_rollup, in KB. (/proc/PID/status lags behind.)
    fn resident(&self, field: &str) -> f64 {
        let text =
            fs::read_to_string(format!("/proc/{}/smaps_rollup", self.running.pid())).unwrap();
        let line = text.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Returns the library file that is mapped.
    fn library(&self) -> String {
        let text = fs::read_to_string(format!("/proc/{}/maps", self.running.pid())).unwrap();
        let line = text.lines().find(|line| line.contains("/libfcgi.so")).unwrap();
        line[line.find('/').unwrap()..].to_owned()
    }
}

/// Measures resident memory after some requests, ours and the original's.
pub(crate) fn resident(programs: &Programs) -> Vec<Resident> {
    let measure = |scenario: &Scenario, library| {
        let exchange = Exchange::of(scenario);
        let served = serve(programs, scenario, library);
        for _ in 0..REQUESTS {
            let connect = |_| served.connect();
            let mut clients: Vec<Client> = (0..scenario.clients).map(connect).collect();
            clients.iter_mut().for_each(|client| client.send(&exchange));
            clients.iter_mut().for_each(|client| ask_once(client, &exchange));
        }
        Memory { anonymous: served.resident("Anonymous:"), all: served.resident("Rss:") }
    };
    let row = |scenario| Resident {
        scenario,
        ours: measure(scenario, Library::Ours),
        original: measure(scenario, Library::Original),
    };
    RESIDENT.iter().map(row).collect()
}

/// Returns the sizes of the files that programs have mapped.
pub(crate) fn sizes(programs: &Programs) -> Sizes {
    let size = |library| {
        let scenario = &RESIDENT[0];
        let served = serve(programs, scenario, library);
        let exchange = Exchange::of(scenario);
        let mut client = served.connect();
        client.send(&exchange);
        ask_once(&mut client, &exchange);
        let file = served.library();
        let is_ours = file.starts_with(&dist().display().to_string());
        assert_eq!(is_ours, library == Library::Ours, "another library is mapped: {file}");
        fs::metadata(file).unwrap().len()
    };
    Sizes { ours: size(Library::Ours), original: size(Library::Original) }
}

/// Measures the milliseconds from before fork to the answer of a request that was already waiting. Returns
/// how much longer ours takes, pair by pair, and the original's times.
pub(crate) fn starts(programs: &Programs) -> (Spread, Spread) {
    let scenario = &RESIDENT[0];
    let exchange = Exchange::of(scenario);
    let once = |library| {
        let dir = TempDir::new();
        let (socket, address) = listen(scenario.tcp, dir.path());
        let mut client = Client::connect(&address).unwrap();
        client.look_up_every(Duration::from_secs(1));
        client.send(&exchange);
        let words = programs.words(scenario, 0, 1);
        let begin = Instant::now();
        let _running = start(&words, Some(library), socket, &dir.join("log"));
        ask_once(&mut client, &exchange);
        begin.elapsed().as_secs_f64() * 1e3
    };
    let pairs: Vec<(f64, f64)> =
        (0..STARTS).map(|_| (once(Library::Ours), once(Library::Original))).collect();
    let longer = Spread::of(pairs.iter().map(|(ours, original)| ours - original));
    (longer, Spread::of(pairs.iter().map(|(_, original)| *original)))
}
