//! Preforked processes with kept connections: whether all of them serve requests.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use super::shape::{PREFORK, Prefork, Reach, WORK};
use crate::crowd::{Answer, ask, connect};
use crate::load::{Client, Exchange, Outcome};
use crate::programs::Programs;
use crate::server::{Contender, Server, Session};
use crate::times::{Spread, ratios};
use testkit::PATIENCE;

/// The number of rounds. The first warms up: problems appear from the second on.
const ROUNDS: usize = 11;
const TURN: Duration = Duration::from_millis(300);

/// Longer than any request, so that all processes are idle after it.
const REST: Duration = Duration::from_millis(40);
/// The pause between an answer and the next connection.
const GAP: Duration = Duration::from_millis(3);

/// All turns of one contender.
#[derive(Default)]
pub(crate) struct Turns {
    /// Requests per second, turn by turn.
    pub(crate) rates: Vec<f64>,
    /// Processes that answered, turn by turn.
    pub(crate) used: Vec<usize>,
    /// Connections without an answer in their turn, summed over all turns.
    pub(crate) starved: usize,
}

impl Turns {
    pub(crate) fn rate(&self) -> f64 {
        Spread::of(self.rates.iter().copied()).median
    }

    pub(crate) fn least_used(&self) -> usize {
        self.used.iter().copied().min().unwrap_or(0)
    }
}

/// The result of a row.
pub(crate) struct Row {
    pub(crate) prefork: &'static Prefork,
    pub(crate) ours: Turns,
    /// `None` if it cannot serve all connections.
    pub(crate) original: Option<Turns>,
}

impl Row {
    /// Returns the number of processes that can work simultaneously.
    pub(crate) fn to_use(&self) -> usize {
        self.prefork.scenario.processes.min(self.prefork.scenario.clients)
    }

    /// Returns requests per second, ours divided by the original's of the same round.
    pub(crate) fn ratio(&self) -> Option<Spread> {
        self.original.as_ref().map(|original| ratios(&self.ours.rates, &original.rates))
    }

    /// Returns requests per second as a part of what the processes could serve if only work took time.
    pub(crate) fn of_capacity(&self) -> Spread {
        let capacity = self.to_use() as f64 * 1e3 / WORK as f64;
        Spread::of(self.ours.rates.iter().map(|rate| rate / capacity))
    }

    /// Returns `None` without a target.
    pub(crate) fn is_reached(&self) -> Option<bool> {
        let is_fast = match self.prefork.to_reach {
            Reach::Original(least) => self.ratio().is_some_and(|ratio| ratio.median >= least),
            Reach::Capacity(least) => self.of_capacity().median >= least,
            Reach::Nothing => return None,
        };
        Some(is_fast && self.ours.least_used() == self.to_use() && self.ours.starved == 0)
    }
}

/// Measures every prefork row whose title contains `only`.
pub(crate) fn measure(programs: &Programs, only: &str) -> Vec<Row> {
    let chosen = PREFORK.iter().filter(|prefork| prefork.scenario.title.contains(only));
    chosen.map(|prefork| measure_one(programs, prefork)).collect()
}

fn measure_one(programs: &Programs, prefork: &'static Prefork) -> Row {
    let exchange = Exchange::of(&prefork.scenario);
    let start = |contender| Server::start(programs, &prefork.scenario, contender, Session::Own);
    let original = matches!(prefork.to_reach, Reach::Original(_));
    let original = original.then(|| start(Contender::Original));
    in_turns(prefork, start(Contender::Ours), original, |server| {
        let clients = prefork.scenario.clients;
        let opened = (0..clients).map(|_| Some(open(server, &exchange))).collect();
        let mut tally = Tally::begin();
        ask(&server.address, &exchange, opened, tally.end(), |answer| tally.add(&answer));
        tally
    })
}

/// Runs the contenders in turns; `turn` runs one of them, whose processes are all idle.
pub(super) fn in_turns<T>(
    prefork: &'static Prefork,
    ours: T,
    original: Option<T>,
    turn: impl Fn(&T) -> Tally,
) -> Row {
    let all = [Some(ours), original].into_iter().flatten();
    let mut contenders: Vec<(T, Turns)> = all.map(|one| (one, Turns::default())).collect();
    for round in 0..ROUNDS {
        for (contender, turns) in &mut contenders {
            thread::sleep(REST);
            turn(contender).count(prefork.scenario.clients, turns);
            if round == 0 {
                *turns = Turns::default();
            }
        }
        contenders.reverse();
    }
    // An odd number of rounds has left them in reverse order.
    contenders.reverse();
    let mut turns = contenders.into_iter().map(|(_, turns)| turns);
    let (ours, original) = (turns.next().unwrap_or_default(), turns.next());
    Row { prefork, ours, original }
}

/// Opens a connection as web servers do: sends a request on it and waits for its answer.
fn open(server: &Server, exchange: &Exchange) -> Client {
    thread::sleep(GAP);
    let mut client = connect(&server.address);
    client.send(exchange);
    let outcome = client.receive(exchange, Instant::now() + PATIENCE);
    assert_eq!(outcome, Outcome::Answered, "the first request of a connection\n{}", server.log());
    client
}

/// The results of one turn.
pub(super) struct Tally {
    begin: Instant,
    answers: u32,
    last: Instant,
    workers: BTreeSet<u32>,
    served: BTreeSet<usize>,
}

impl Tally {
    pub(super) fn begin() -> Self {
        let begin = Instant::now();
        let (workers, served) = (BTreeSet::new(), BTreeSet::new());
        Self { begin, answers: 0, last: begin, workers, served }
    }

    /// Returns the time at which the turn is over.
    pub(super) fn end(&self) -> Instant {
        self.begin + TURN
    }

    pub(super) fn add(&mut self, answer: &Answer) {
        self.answers += 1;
        self.last = self.last.max(answer.at);
        self.workers.insert(answer.worker);
        self.served.insert(answer.client);
    }

    fn count(self, clients: usize, turns: &mut Turns) {
        // Up to the last answer, because requests end in step. But a silence at the end counts.
        let silence = 2 * Duration::from_millis(WORK as u64);
        let time = (self.last - self.begin).max(TURN.saturating_sub(silence));
        turns.rates.push(f64::from(self.answers) / time.as_secs_f64());
        turns.used.push(self.workers.len());
        turns.starved += clients - self.served.len();
    }
}
