//! New connections, one after another, while slow requests on kept ones leave a single thread free: how long
//! each new connection waits for its response.

use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::shape::{NEWCOMERS, SLOW};
use crate::crowd::connect;
use crate::load::{Address, Client, Exchange, Outcome};
use crate::programs::Programs;
use crate::scenario::Scenario;
use crate::server::{Contender, Server, Session};
use crate::times::percentile;
use testkit::PATIENCE;

/// The counted rounds, after one that warms up.
const ROUNDS: usize = 10;
/// Newcomers in each turn.
const ARRIVALS: usize = 20;
/// The pause between an answer and the next newcomer.
const GAP: Duration = Duration::from_millis(3);

pub(crate) const CONTENDERS: [Contender; 2] = [Contender::Ours, Contender::Original];

/// A contender, and the microseconds of each newcomer.
struct Contestant {
    contender: Contender,
    /// `None` when its turns are over.
    server: Option<Server>,
    times: Vec<f64>,
}

/// All turns of the servers in one of the sessions.
pub(crate) struct Sitting(Vec<Contestant>);

impl Sitting {
    fn start(programs: &Programs, scenario: &Scenario, session: Session) -> Self {
        let contestant = |contender| {
            let server = Server::start(programs, scenario, contender, session);
            Contestant { contender, server: Some(server), times: Vec::new() }
        };
        Self(CONTENDERS.map(contestant).into())
    }

    /// Returns the microseconds within which `percent` percent of the newcomers had their answers.
    pub(crate) fn percentile(&self, contender: Contender, percent: usize) -> f64 {
        let of = self.0.iter().find(|contestant| contestant.contender == contender);
        of.map_or(f64::NAN, |contestant| percentile(&contestant.times, percent))
    }
}

/// The result of a row.
pub(crate) struct Row {
    pub(crate) scenario: &'static Scenario,
    /// As in [`Session::BOTH`].
    pub(crate) sittings: Vec<Sitting>,
}

/// Measures every row of newcomers whose title contains `only`.
pub(crate) fn measure(programs: &Programs, only: &str) -> Vec<Row> {
    let chosen = NEWCOMERS.iter().filter(|scenario| scenario.title.contains(only));
    chosen.map(|scenario| measure_one(programs, scenario)).collect()
}

fn measure_one(programs: &Programs, scenario: &'static Scenario) -> Row {
    let sit = |session| Sitting::start(programs, scenario, session);
    let mut sittings: Vec<Sitting> = Session::BOTH.into_iter().map(sit).collect();
    for round in 0..=ROUNDS {
        for Sitting(contestants) in &mut sittings {
            for contestant in contestants.iter_mut() {
                let Some(server) = &contestant.server else { continue };
                let times = turn(&server.address, scenario);
                if round > 0 {
                    contestant.times.extend(times);
                }
            }
            // The order of a pair changes with each round.
            contestants.reverse();
        }
    }
    for contestant in sittings.iter_mut().flat_map(|sitting| &mut sitting.0) {
        contestant.server = None;
        contestant.times.sort_by(f64::total_cmp);
    }
    Row { scenario, sittings }
}

/// Returns the times of one turn's newcomers.
fn turn(address: &Address, scenario: &Scenario) -> Vec<f64> {
    let (slow, quick) = (Exchange::of(scenario), Exchange::of(&scenario.not_kept()));
    let (at_work, is_at_work) = mpsc::channel();
    let keep_busy = |number: usize, at_work: Sender<usize>| {
        // Evenly spread, so that the slow requests do not run in step.
        let lateness = Duration::from_millis((number * SLOW / scenario.clients) as u64);
        thread::sleep(lateness);
        let mut client = connect(address);
        exchange(&mut client, &slow);
        // The turn is over when the receiver is closed.
        while at_work.send(number).is_ok() {
            exchange(&mut client, &slow);
        }
    };
    let keep_busy = &keep_busy;
    thread::scope(move |scope| {
        for number in 0..scenario.clients {
            let at_work = at_work.clone();
            scope.spawn(move || keep_busy(number, at_work));
        }
        // A client has started, however late, when its first answer has arrived.
        let mut idle: Vec<usize> = (0..scenario.clients).collect();
        while !idle.is_empty() {
            let number = is_at_work.recv_timeout(PATIENCE).expect("slow requests are answered");
            idle.retain(|other| *other != number);
        }
        (0..ARRIVALS).map(|_| newcomer(address, &quick)).collect()
    })
}

/// Returns the microseconds from connecting to the end of the answer.
fn newcomer(address: &Address, quick: &Exchange) -> f64 {
    thread::sleep(GAP);
    let begin = Instant::now();
    exchange(&mut connect(address), quick);
    begin.elapsed().as_secs_f64() * 1e6
}

fn exchange(client: &mut Client, exchange: &Exchange) {
    client.send(exchange);
    let outcome = client.receive(exchange, Instant::now() + PATIENCE);
    assert_eq!(outcome, Outcome::Answered);
}
