//! Lost requests, with a connection per request: to workers that end after a number of requests and are
//! replaced, to a program that is restarted, and to a pool that grows and shrinks. A request is lost if its
//! connection ends without a response.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::crowd::connect;
use crate::load::{Address, Exchange, Outcome, listen};
use crate::programs::{Programs, start};
use crate::report::{Table, grouped};
use crate::scenario::{NONE, Scenario, row};
use crate::server::{Contender, Server, Session};
use testkit::{Library, PATIENCE, Running, TempDir, signal, until};

/// Requests of each row and library, unless an argument sets another number.
const REQUESTS: usize = 20_000;

/// Parallel clients, workers, and requests of each worker.
const CLIENTS: usize = 8;
const WORKERS: usize = 3;
const EACH: usize = 20;

const WORKER: Scenario = row("lost", "hello", 0, NONE).processes(WORKERS, CLIENTS).each(EACH);

/// How a client sends a request's head.
#[derive(Clone, Copy, Debug)]
enum Head {
    Whole,
    /// In three sends, as mod_proxy_fcgi does it.
    InPieces,
    /// About a millisecond after connecting.
    Late,
}

const HEADS: [(&str, Head); 3] = [
    ("head whole", Head::Whole),
    ("head in three sends", Head::InPieces),
    ("head 1 ms after connecting", Head::Late),
];

/// Requests between two changes of a pool.
const BETWEEN: usize = 200;

/// How long a process may take to end after SIGTERM. After that it is killed: with the original it may not
/// end.
const MERCY: Duration = Duration::from_millis(500);

/// A process of a pool.
const MEMBER: Scenario = row("lost", "hello", 0, NONE);

/// Counts the lost among this number of requests, ours beside the original.
pub(crate) fn count(programs: &Programs, requests: Option<&str>) -> Table {
    let requests = requests.map_or(REQUESTS, |number| number.parse().expect("a number"));
    let mut table = Table::new(&["lost", "of", "ours", "original"]);
    let mut row = |title: &str, lost: &dyn Fn(Contender) -> usize| {
        let [ours, original] = [Contender::Ours, Contender::Original].map(lost);
        let numbers = [requests, ours, original].map(|number| grouped(number as f64));
        table.push([title.to_owned()].into_iter().chain(numbers).collect());
    };
    for (title, head) in HEADS {
        row(title, &|contender| {
            let server = Server::start(programs, &WORKER, contender, Session::Own);
            ask(&server.address, &[head], requests, |_| ())
        });
    }
    for (title, change) in [
        ("restarts under load", Pool::restart as fn(&mut Pool, usize)),
        ("growing and shrinking pool", Pool::grow_or_shrink),
    ] {
        row(title, &|contender| {
            let (mut pool, address) = Pool::start(programs, contender);
            ask(&address, &HEADS.map(|(_, head)| head), requests, |turn| change(&mut pool, turn))
        });
    }
    table
}

/// Returns the number of lost requests. The clients use these heads in turn. `change` is called repeatedly
/// until they have finished, with BETWEEN requests in between.
fn ask(address: &Address, heads: &[Head], requests: usize, mut change: impl FnMut(usize)) -> usize {
    let exchange = Exchange::of(&WORKER);
    let (begun, lost) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let client = |number: usize| {
        // From 0.65 to 1.35 ms, so that clients do not run in step.
        let lateness = Duration::from_micros(650 + 100 * number as u64);
        let head = heads[number % heads.len()];
        while begun.fetch_add(1, Ordering::Relaxed) < requests {
            if !is_answered(address, &exchange, head, lateness) {
                lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    let client = &client;
    thread::scope(|scope| {
        (0..CLIENTS).for_each(|number| {
            scope.spawn(move || client(number));
        });
        for turn in 0..requests / BETWEEN {
            let next = begun.load(Ordering::Relaxed) + BETWEEN;
            until("requests", PATIENCE, || {
                let now = begun.load(Ordering::Relaxed);
                (now >= next.min(requests)).then_some(())
            });
            change(turn);
        }
    });
    lost.into_inner()
}

/// Processes of one thread on one listen socket, which stays open when they end.
struct Pool {
    words: Vec<String>,
    library: Option<Library>,
    socket: OwnedFd,
    members: VecDeque<Running>,
    // Declared after the processes, so that they end before their directory is removed.
    dir: TempDir,
}

impl Pool {
    /// Starts the processes. Returns them and their address.
    fn start(programs: &Programs, contender: Contender) -> (Self, Address) {
        let dir = TempDir::new();
        let (socket, address) = listen(MEMBER.tcp, dir.path());
        // They never count up to this number.
        let words = programs.words(&MEMBER, 0, 1_000_000_000);
        let (library, members) = (contender.library(), VecDeque::new());
        let mut pool = Self { words, library, socket, members, dir };
        (0..WORKERS).for_each(|_| pool.grow());
        (pool, address)
    }

    fn grow(&mut self) {
        let socket = self.socket.try_clone().unwrap();
        self.members.push_back(start(&self.words, self.library, socket, &self.dir.join("log")));
    }

    /// Ends this number of processes together, the oldest first.
    fn shrink(&mut self, number: usize) {
        let mut ending: Vec<Running> = self.members.drain(..number).collect();
        for process in &ending {
            signal(process.pid(), libc::SIGTERM);
        }
        for process in &mut ending {
            process.wait(MERCY);
        }
    }

    /// Ends all processes and starts as many after that.
    fn restart(&mut self, _: usize) {
        self.shrink(WORKERS);
        (0..WORKERS).for_each(|_| self.grow());
    }

    /// Grows from three processes to six and shrinks back, one by one.
    fn grow_or_shrink(&mut self, turn: usize) {
        if turn / WORKERS % 2 == 0 { self.grow() } else { self.shrink(1) }
    }
}

fn is_answered(address: &Address, exchange: &Exchange, head: Head, lateness: Duration) -> bool {
    let mut client = connect(address);
    match head {
        Head::Whole => client.send(exchange),
        Head::InPieces => exchange.pieces().into_iter().for_each(|piece| client.send_piece(piece)),
        Head::Late => {
            thread::sleep(lateness);
            client.send(exchange);
        }
    }
    match client.receive(exchange, Instant::now() + PATIENCE) {
        Outcome::Answered => true,
        Outcome::Cut => false,
        Outcome::TimeUp => panic!("neither an answer nor an end in {PATIENCE:?}"),
    }
}
