//! A running program with its own listen socket: on our library, on the original, or the bare loop.

use std::fs;
use std::time::Duration;

use crate::load::{Address, Exchange, listen};
use crate::programs::{Programs, command};
use crate::scenario::Scenario;
use testkit::{Library, PATIENCE, Running, TempDir, children_of, until};

/// The programs that take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    Ours,
    Original,
    Bare,
}

impl Contender {
    pub(crate) fn library(self) -> Option<Library> {
        match self {
            Self::Ours => Some(Library::Ours),
            Self::Original => Some(Library::Original),
            Self::Bare => None,
        }
    }
}

/// The session of a server. With autogroup on, the kernel divides processors among sessions first, and then
/// among the threads of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Session {
    OfClient,
    Own,
}

impl Session {
    pub(crate) const BOTH: [Self; 2] = [Self::OfClient, Self::Own];
}

/// A running contender.
pub(crate) struct Server {
    running: Running,
    /// The processes that serve.
    processes: Vec<u32>,
    pub(crate) address: Address,
    // Declared after the program, so that it ends before its directory is removed.
    dir: TempDir,
}

impl Server {
    pub(crate) fn start(
        programs: &Programs,
        scenario: &Scenario,
        contender: Contender,
        session: Session,
    ) -> Self {
        let mut server = Self::start_under(&[], programs, scenario, contender, session);
        let pid = server.running.pid();
        server.processes = if scenario.processes == 0 {
            vec![pid]
        } else {
            until("processes that serve", PATIENCE, || {
                children_of(pid).filter(|list| list.len() == scenario.processes)
            })
            .into_iter()
            .collect()
        };
        server
    }

    /// Starts it inside the command `around`. The serving processes are not known then.
    pub(crate) fn start_under(
        around: &[&str],
        programs: &Programs,
        scenario: &Scenario,
        contender: Contender,
        session: Session,
    ) -> Self {
        let dir = TempDir::new();
        let (socket, address) = listen(scenario.tcp, dir.path());
        let library = contender.library();
        let words = if library.is_some() {
            // It never counts up to this number.
            programs.words(scenario, 0, 1_000_000_000)
        } else {
            let exchange = Exchange::of(scenario);
            let file = dir.join("answer");
            fs::write(&file, exchange.response()).unwrap();
            let kept = if exchange.kept { scenario.clients } else { 0 };
            let numbers = [kept, scenario.threads].map(|n| n.to_string());
            let words = [
                programs.path("bare").display().to_string(),
                exchange.request.len().to_string(),
                file.display().to_string(),
            ];
            [&words[..], &numbers].concat()
        };
        let around: Vec<String> = around.iter().map(|word| (*word).to_owned()).collect();
        let mut command = command(&[around, words].concat(), library, socket, &dir.join("log"));
        let running = match session {
            Session::OfClient => Running::start(&mut command),
            Session::Own => Running::start_in_session(&mut command),
        };
        Self { running, processes: Vec::new(), address, dir }
    }

    /// Returns what the program has written to stderr.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Adds up a number of all threads.
    fn sum(&self, number: impl Fn(&str) -> u64) -> u64 {
        let tasks = self.processes.iter().flat_map(|process| {
            let tasks = fs::read_dir(format!("/proc/{process}/task"));
            tasks.unwrap_or_else(|error| panic!("{process}: {error}\n{}", self.log()))
        });
        tasks.map(|task| number(&task.unwrap().path().display().to_string())).sum()
    }

    /// Returns the processor time of all threads.
    pub(crate) fn processor_time(&self) -> Duration {
        Duration::from_nanos(self.sum(|task| {
            let text = fs::read_to_string(format!("{task}/schedstat")).unwrap();
            text.split(' ').next().unwrap().parse().unwrap()
        }))
    }

    /// Returns how often threads have gone to sleep.
    pub(crate) fn switches(&self) -> u64 {
        self.sum(|task| {
            let text = fs::read_to_string(format!("{task}/status")).unwrap();
            let line = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            line.unwrap().trim().parse().unwrap()
        })
    }
}
