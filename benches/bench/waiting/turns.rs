//! Turns of shapes: all shapes of a family, in both sessions, on all contenders, in the same rounds.

use std::time::{Duration, Instant};

use super::shape::{Beside, Family, Shape};
use crate::cpus::Part;
use crate::crowd::{ask, strangers};
use crate::load::Exchange;
use crate::programs::Programs;
use crate::server::{Contender, Server, Session};
use crate::times::{Spread, ratios};

/// The counted rounds, after one that warms up.
const ROUNDS: usize = 20;
const TURN: Duration = Duration::from_millis(50);

/// All turns of one contender.
#[derive(Default)]
pub(crate) struct Turns {
    /// Requests per second, turn by turn.
    pub(crate) rates: Vec<f64>,
    /// How often threads went to sleep per request, turn by turn.
    switches: Vec<f64>,
}

impl Turns {
    pub(crate) fn rate(&self) -> f64 {
        Spread::of(self.rates.iter().copied()).median
    }

    pub(crate) fn switches(&self) -> f64 {
        Spread::of(self.switches.iter().copied()).median
    }
}

/// A contender of a shape in a session.
struct Contestant {
    contender: Contender,
    /// `None` when its turns are over.
    server: Option<Server>,
    turns: Turns,
}

impl Contestant {
    fn turn(&mut self, exchange: &Exchange, clients: usize) {
        let Some(server) = &self.server else { return };
        let before = server.switches();
        let (end, mut answers) = (Instant::now() + TURN, 0);
        ask(&server.address, exchange, strangers(clients), end, |_| answers += 1);
        let switches = server.switches() - before;
        self.turns.rates.push(f64::from(answers) / TURN.as_secs_f64());
        self.turns.switches.push(switches as f64 / f64::from(answers));
    }
}

/// A shape's turns while servers are in one of the sessions.
pub(crate) struct Sitting {
    contestants: Vec<Contestant>,
    /// Ours compared with other shapes of ours: see [`Beside`].
    pub(crate) beside: Option<Spread>,
}

impl Sitting {
    pub(crate) fn turns(&self, contender: Contender) -> Option<&Turns> {
        let of = self.contestants.iter().find(|contestant| contestant.contender == contender);
        of.map(|contestant| &contestant.turns)
    }

    fn rates(&self, contender: Contender) -> Option<&[f64]> {
        self.turns(contender).map(|turns| turns.rates.as_slice())
    }

    /// Returns requests per second, ours divided by another contender's of the same round.
    pub(crate) fn of(&self, contender: Contender) -> Option<Spread> {
        Some(ratios(self.rates(Contender::Ours)?, self.rates(contender)?))
    }

    /// Returns requests per second of ours, divided by those of another shape in the same round.
    fn of_rival(&self, rival: &Self) -> Option<Spread> {
        Some(ratios(self.rates(Contender::Ours)?, rival.rates(Contender::Ours)?))
    }
}

/// The result of a shape.
pub(crate) struct Row {
    pub(crate) shape: &'static Shape,
    exchange: Exchange,
    pub(crate) family: &'static Family,
    /// As in [`Session::BOTH`].
    pub(crate) sittings: Vec<Sitting>,
}

impl Row {
    fn start(programs: &Programs, family: &'static Family, shape: &'static Shape) -> Self {
        let cpus = family.cpus();
        let all = [
            (Contender::Ours, true),
            (Contender::Original, shape.original.is_some()),
            (Contender::Bare, shape.bare.is_some()),
        ];
        let takes_part = all.into_iter().filter(|(_, takes_part)| *takes_part);
        let sit = |session| {
            let start = |(contender, _)| {
                let start = || Server::start(programs, &shape.scenario, contender, session);
                let server = cpus.on(Part::Server, start);
                Contestant { contender, server: Some(server), turns: Turns::default() }
            };
            let contestants = takes_part.clone().map(start).collect();
            Sitting { contestants, beside: None }
        };
        let sittings = Session::BOTH.into_iter().map(sit).collect();
        Self { shape, exchange: Exchange::of(&shape.scenario), family, sittings }
    }

    fn round(&mut self) {
        for sitting in &mut self.sittings {
            for contestant in &mut sitting.contestants {
                contestant.turn(&self.exchange, self.shape.scenario.clients);
            }
            // The order of a pair changes with each round.
            sitting.contestants.reverse();
        }
    }

    fn contestants(&mut self) -> impl Iterator<Item = &mut Contestant> {
        self.sittings.iter_mut().flat_map(|sitting| &mut sitting.contestants)
    }

    /// Returns the rows that this one is compared with.
    fn rivals<'a>(&self, rows: &'a [Self]) -> &'a [Self] {
        let count = match self.shape.beside {
            Beside::Nothing => 0,
            Beside::First => 1.min(rows.len()),
            Beside::Fewer(_) => {
                rows.iter().take_while(|row| row.shape.workers() < self.shape.workers()).count()
            }
        };
        &rows[..count]
    }

    /// Returns whether the worse session reaches all targets.
    pub(crate) fn is_reached(&self) -> bool {
        let reaches = |ratio: Option<Spread>, least: Option<f64>| match (ratio, least) {
            (Some(ratio), Some(least)) => ratio.median >= least,
            _ => true,
        };
        self.sittings.iter().all(|sitting| {
            reaches(sitting.of(Contender::Original), self.shape.original)
                && reaches(sitting.of(Contender::Bare), self.shape.bare)
                && reaches(sitting.beside, self.shape.beside.least())
        })
    }
}

/// Measures the family's shapes whose titles contain `only`.
pub(crate) fn measure(programs: &Programs, family: &'static Family, only: &str) -> Vec<Row> {
    let chosen = family.shapes.iter().filter(|shape| shape.scenario.title.contains(only));
    let start = |shape| Row::start(programs, family, shape);
    let mut rows: Vec<Row> = chosen.map(start).collect();
    let rounds = || {
        rows.iter_mut().for_each(Row::round);
        let warm = rows.iter_mut().flat_map(Row::contestants);
        warm.for_each(|contestant| contestant.turns = Turns::default());
        (0..ROUNDS).for_each(|_| rows.iter_mut().for_each(Row::round));
    };
    family.cpus().on(Part::Client, rounds);
    rows.iter_mut().flat_map(Row::contestants).for_each(|contestant| contestant.server = None);
    for row in 0..rows.len() {
        for sitting in 0..Session::BOTH.len() {
            let rivals = rows[row].rivals(&rows).iter();
            let own = &rows[row].sittings[sitting];
            let ratios = rivals.filter_map(|rival| own.of_rival(&rival.sittings[sitting]));
            let worst = ratios.min_by(|a, b| a.median.total_cmp(&b.median));
            rows[row].sittings[sitting].beside = worst;
        }
    }
    rows
}
