//! Lost requests: a connection per request, to workers that end after so many requests and are
//! replaced. A request is lost when its connection ends without a response.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::crowd::connect;
use crate::load::{Address, Exchange, Outcome};
use crate::programs::Programs;
use crate::report::{Table, grouped};
use crate::scenario::{NONE, Scenario, row};
use crate::server::{Contender, Server, Session};
use crate::support::PATIENCE;

/// Requests of each row and library, unless another number is asked for.
const REQUESTS: usize = 20_000;

/// Clients at once, workers, and requests of each worker.
const CLIENTS: usize = 8;
const WORKERS: usize = 3;
const EACH: usize = 20;

const WORKER: Scenario = row("lost", "hello", 0, NONE).processes(WORKERS, CLIENTS).each(EACH);

/// How a client sends a request's head.
#[derive(Clone, Copy, Debug)]
enum Head {
    Whole,
    /// Three sends, as mod_proxy_fcgi does it.
    InPieces,
    /// About a millisecond after connecting.
    Late,
}

const HEADS: [(&str, Head); 3] = [
    ("head whole", Head::Whole),
    ("head in three sends", Head::InPieces),
    ("head 1 ms after connecting", Head::Late),
];

/// Counts the lost of so many requests, ours beside the original.
pub(crate) fn count(programs: &Programs, requests: Option<&str>) -> Table {
    let requests = requests.map_or(REQUESTS, |number| number.parse().expect("a number"));
    let mut table = Table::new(&["lost", "of", "ours", "original"]);
    for (title, head) in HEADS {
        let lost = |contender| grouped(run(programs, contender, head, requests) as f64);
        let (ours, original) = (lost(Contender::Ours), lost(Contender::Original));
        table.push(vec![title.to_owned(), grouped(requests as f64), ours, original]);
    }
    table
}

/// The number of lost requests.
fn run(programs: &Programs, contender: Contender, head: Head, requests: usize) -> usize {
    let server = Server::start(programs, &WORKER, contender, Session::Own);
    let exchange = Exchange::of(&WORKER);
    let (begun, lost) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let client = |number: usize| {
        // From 0.65 to 1.35 ms, so that clients do not keep step.
        let lateness = Duration::from_micros(650 + 100 * number as u64);
        while begun.fetch_add(1, Ordering::Relaxed) < requests {
            if !is_answered(&server.address, &exchange, head, lateness) {
                lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    let client = &client;
    thread::scope(|scope| {
        (0..CLIENTS).for_each(|number| {
            scope.spawn(move || client(number));
        });
    });
    lost.into_inner()
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
