//! Times, as ratios of pairs: ours, the original and the bare loop take turns of a fraction of a second
//! in the same run, so that the machine's mood meets all three alike.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use fcgi::os::poll::{PollFd, READABLE, poll};

use crate::load::{Address, Client, Exchange, Outcome, listen};
use crate::programs::{Programs, start};
use crate::scenario::{TIMED, Timed};
use crate::support::{Library, Running, TempDir};

/// How often each one has its turn, and for how long. The first round warms up and is not counted.
const ROUNDS: usize = 51;
const TURN: Duration = Duration::from_millis(50);

/// Waiting clients look at the clock this often.
const GLANCE: Duration = Duration::from_millis(20);

/// Who takes turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    Ours,
    Original,
    Bare,
}

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

/// The middle and the ends of some numbers.
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

    /// The latency that so many of a hundred requests keep.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let last = self.latencies.len() - 1;
        self.latencies[(self.latencies.len() * percent / 100).min(last)]
    }
}

/// One scenario's result.
pub(crate) struct Row {
    pub(crate) timed: &'static Timed,
    pub(crate) ours: Turns,
    pub(crate) original: Turns,
    pub(crate) bare: Turns,
}

impl Row {
    /// Requests per second, ours to the original's of the same round.
    pub(crate) fn ratio(&self) -> Spread {
        ratios(&self.ours.rates, &self.original.rates)
    }

    /// Processor time per request, ours to the original's of the same round.
    pub(crate) fn processor_ratio(&self) -> Spread {
        ratios(&self.ours.processor, &self.original.processor)
    }

    /// Requests per second as a part of the bare loop's in the same round.
    pub(crate) fn of_limit(&self, contender: Contender) -> Spread {
        let turns = if contender == Contender::Ours { &self.ours } else { &self.original };
        ratios(&turns.rates, &self.bare.rates)
    }

    /// Requests per second, the bare loop's to the original's of the same round.
    pub(crate) fn limit(&self) -> Spread {
        ratios(&self.bare.rates, &self.original.rates)
    }

    pub(crate) fn is_reached(&self) -> bool {
        self.ratio().median >= self.timed.to_reach
    }
}

fn ratios(above: &[f64], below: &[f64]) -> Spread {
    Spread::of(above.iter().zip(below).map(|(above, below)| above / below))
}

/// How busy the machine is without us: a busy one takes processors away from client and server, and
/// ratios come closer to those of processor times.
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
    let servers = CONTENDERS.map(|contender| Server::start(programs, timed, contender, &exchange));
    let mut turns = CONTENDERS.map(|_| Turns::default());
    for round in 0..ROUNDS {
        for (server, turns) in servers.iter().zip(&mut turns) {
            server.turn(&exchange, timed.scenario.clients, turns);
            if round == 0 {
                *turns = Turns::default();
            }
        }
    }
    turns.iter_mut().for_each(|turns| turns.latencies.sort_by(f64::total_cmp));
    let [ours, original, bare] = turns;
    Row { timed, ours, original, bare }
}

/// A contender at work.
struct Server {
    running: Running,
    address: Address,
    // Behind the program: it ends before its directory goes.
    _dir: TempDir,
}

impl Server {
    fn start(
        programs: &Programs,
        timed: &Timed,
        contender: Contender,
        exchange: &Exchange,
    ) -> Self {
        let dir = TempDir::new();
        let (socket, address) = listen(timed.scenario.tcp, dir.path());
        let library = match contender {
            Contender::Ours => Some(Library::Ours),
            Contender::Original => Some(Library::Original),
            Contender::Bare => None,
        };
        let words = if library.is_some() {
            // It never counts as far as this.
            programs.words(&timed.scenario, 0, 1_000_000_000)
        } else {
            let file = dir.join("answer");
            fs::write(&file, exchange.response()).unwrap();
            let kept = if exchange.kept { timed.scenario.clients } else { 0 };
            vec![
                programs.path("bare").display().to_string(),
                exchange.request.len().to_string(),
                file.display().to_string(),
                kept.to_string(),
            ]
        };
        let running = start(&words, library, socket, &dir.join("log"));
        Self { running, address, _dir: dir }
    }

    /// Processor time of all threads.
    fn processor_time(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.running.pid())).unwrap();
        let nanoseconds = tasks.map(|task| {
            let text = fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
            text.split(' ').next().unwrap().parse::<u64>().unwrap()
        });
        Duration::from_nanos(nanoseconds.sum())
    }

    fn turn(&self, exchange: &Exchange, clients: usize, turns: &mut Turns) {
        let before = self.processor_time();
        let latencies = ask(&self.address, exchange, clients, Instant::now() + TURN);
        let processor = self.processor_time().saturating_sub(before);
        let requests = latencies.len() as f64;
        turns.rates.push(requests / TURN.as_secs_f64());
        turns.processor.push(processor.as_secs_f64() * 1e6 / requests);
        turns.latencies.extend(latencies);
    }
}

/// A request on its way.
struct Asked {
    client: Client,
    begin: Instant,
}

/// Keeps so many requests on their way until the time is up, in one thread. Gives the latencies of
/// what was answered before that.
fn ask(address: &Address, exchange: &Exchange, clients: usize, end: Instant) -> Vec<f64> {
    let send = |kept: Option<Client>| {
        let begin = Instant::now();
        let mut client = kept.unwrap_or_else(|| {
            let client = Client::connect(address).unwrap();
            client.look_up_every(GLANCE);
            client
        });
        client.send(exchange);
        Asked { client, begin }
    };
    let mut latencies = Vec::new();
    let mut asked: Vec<Option<Asked>> = (0..clients).map(|_| Some(send(None))).collect();
    loop {
        for at in answered(&asked) {
            let Some(Asked { mut client, begin }) = asked[at].take() else { continue };
            let outcome = client.receive(exchange, end);
            let now = Instant::now();
            if outcome == Outcome::TimeUp || now >= end {
                return latencies;
            }
            latencies.push((now - begin).as_secs_f64() * 1e6);
            asked[at] = Some(send(exchange.kept.then_some(client)));
        }
        if Instant::now() >= end {
            return latencies;
        }
    }
}

/// The requests whose answers have begun to come. With one there is nothing to choose from.
fn answered(asked: &[Option<Asked>]) -> Vec<usize> {
    if asked.len() == 1 {
        return vec![0];
    }
    let descriptor = |asked: &Option<Asked>| asked.as_ref().map_or(-1, |a| a.client.descriptor());
    let mut fds: Vec<PollFd> =
        asked.iter().map(|asked| PollFd::new(descriptor(asked), READABLE)).collect();
    let _ = poll(&mut fds, Some(GLANCE));
    (0..fds.len()).filter(|at| fds[*at].revents != 0).collect()
}
