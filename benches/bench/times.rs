//! Times as ratios of pairs. Ours, the original and the bare loop take turns of a fraction of a second in the
//! same run, so that the machine's load affects all three alike.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::crowd::{ask, strangers};
use crate::load::Exchange;
use crate::programs::Programs;
use crate::scenario::{TIMED, Timed};
use crate::server::{Contender, Server, Session};

/// The number of turns of each contender, and their length. The first round warms up and is not counted.
const ROUNDS: usize = 51;
const TURN: Duration = Duration::from_millis(50);

const CONTENDERS: [Contender; 3] = [Contender::Ours, Contender::Original, Contender::Bare];

/// All turns of one contender.
#[derive(Default)]
pub(crate) struct Turns {
    /// Requests per second, turn by turn.
    pub(crate) rates: Vec<f64>,
    /// Processor time of the server per request, in microseconds, turn by turn.
    pub(crate) processor: Vec<f64>,
    /// Microseconds from the first byte sent, or from connecting, to the last byte received.
    latencies: Vec<f64>,
}

/// The median, minimum and maximum of some numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    pub(crate) fn of(numbers: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = numbers.collect();
        sorted.sort_by(f64::total_cmp);
        Self { median: sorted[sorted.len() / 2], min: sorted[0], max: sorted[sorted.len() - 1] }
    }
}

impl Turns {
    pub(crate) fn median_rate(&self) -> f64 {
        Spread::of(self.rates.iter().copied()).median
    }

    pub(crate) fn median_processor(&self) -> f64 {
        Spread::of(self.processor.iter().copied()).median
    }

    /// Returns the latency that `percent` percent of the requests do not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        percentile(&self.latencies, percent)
    }
}

/// Returns the value that `percent` percent of the sorted numbers do not exceed.
pub(crate) fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

/// One scenario's result.
pub(crate) struct Row {
    pub(crate) timed: &'static Timed,
    pub(crate) ours: Turns,
    pub(crate) original: Turns,
    pub(crate) bare: Turns,
}

impl Row {
    /// Returns requests per second, ours divided by the original's of the same round.
    pub(crate) fn ratio(&self) -> Spread {
        ratios(&self.ours.rates, &self.original.rates)
    }

    /// Returns processor time per request, ours divided by the original's of the same round.
    pub(crate) fn processor_ratio(&self) -> Spread {
        ratios(&self.ours.processor, &self.original.processor)
    }

    /// Returns requests per second as a part of the bare loop's in the same round.
    pub(crate) fn of_limit(&self, contender: Contender) -> Spread {
        let turns = if contender == Contender::Ours { &self.ours } else { &self.original };
        ratios(&turns.rates, &self.bare.rates)
    }

    /// Returns requests per second, the bare loop's divided by the original's of the same round.
    pub(crate) fn limit(&self) -> Spread {
        ratios(&self.bare.rates, &self.original.rates)
    }

    pub(crate) fn is_reached(&self) -> bool {
        self.ratio().median >= self.timed.to_reach
    }
}

/// Returns the ratios of pairs.
pub(crate) fn ratios(above: &[f64], below: &[f64]) -> Spread {
    // Two turns without a request are equal.
    let ratio = |(above, below)| if above == below { 1.0 } else { above / below };
    Spread::of(above.iter().zip(below).map(ratio))
}

/// Describes how busy the machine is otherwise. A busy one takes processors away from client and server, and
/// the ratios approach those of processor times.
pub(crate) fn mood() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap();
    let load = load.split(' ').next().unwrap_or_default();
    let processors = thread::available_parallelism().map_or(1, usize::from);
    format!("{processors} processors; load average before the first turn: {load}.")
}

/// Times every scenario whose title contains `only`.
pub(crate) fn time(programs: &Programs, only: &str) -> Vec<Row> {
    let chosen = TIMED.iter().filter(|timed| timed.scenario.title.contains(only));
    chosen.map(|timed| time_one(programs, timed)).collect()
}

fn time_one(programs: &Programs, timed: &'static Timed) -> Row {
    let exchange = Exchange::of(&timed.scenario);
    let servers = CONTENDERS
        .map(|contender| Server::start(programs, &timed.scenario, contender, Session::OfClient));
    let mut turns = CONTENDERS.map(|_| Turns::default());
    for round in 0..ROUNDS {
        for (server, turns) in servers.iter().zip(&mut turns) {
            turn(server, &exchange, timed.scenario.clients, turns);
            if round == 0 {
                *turns = Turns::default();
            }
        }
    }
    turns.iter_mut().for_each(|turns| turns.latencies.sort_by(f64::total_cmp));
    let [ours, original, bare] = turns;
    Row { timed, ours, original, bare }
}

/// Runs one turn of a server.
fn turn(server: &Server, exchange: &Exchange, clients: usize, turns: &mut Turns) {
    let before = server.processor_time();
    let end = Instant::now() + TURN;
    let mut latencies = Vec::new();
    ask(&server.address, exchange, strangers(clients), end, |answer| {
        latencies.push(answer.latency.as_secs_f64() * 1e6);
    });
    let processor = server.processor_time().saturating_sub(before);
    let requests = latencies.len() as f64;
    turns.rates.push(requests / TURN.as_secs_f64());
    turns.processor.push(processor.as_secs_f64() * 1e6 / requests);
    turns.latencies.extend(latencies);
}
