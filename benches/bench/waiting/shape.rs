//! The measured shapes of waiting: the numbers of processes, threads and connections, and the target ratios.
//! The worse of the two sessions counts.

use crate::cpus::Cpus;
use crate::scenario::{NONE, Scenario, row};

/// A shape of ours that another one is compared with in the same rounds, in addition to the other contenders.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Beside {
    Nothing,
    /// The first shape of the family, for information.
    First,
    /// The best of the family's shapes with fewer threads or processes; the target is this part of it.
    Fewer(f64),
}

impl Beside {
    pub(crate) const fn least(self) -> Option<f64> {
        match self {
            Self::Fewer(least) => Some(least),
            Self::First | Self::Nothing => None,
        }
    }
}

/// One row, for servers that take turns. `None`: such a contender cannot serve it, or need not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) scenario: Scenario,
    /// The target ratios of requests per second to those of the contenders.
    pub(crate) original: Option<f64>,
    pub(crate) bare: Option<f64>,
    pub(crate) beside: Beside,
    /// The most system calls per request.
    pub(crate) calls: Option<f64>,
}

/// Shapes that take turns in the same rounds.
pub(crate) struct Family {
    pub(crate) shapes: &'static [Shape],
    /// Whether clients and servers are kept on different processors.
    pub(crate) apart: bool,
}

impl Family {
    pub(crate) fn cpus(&self) -> Cpus {
        if self.apart { Cpus::apart() } else { Cpus::shared() }
    }
}

impl Shape {
    /// Returns the number in which a family's shapes differ.
    pub(crate) fn workers(&self) -> usize {
        self.scenario.threads.max(self.scenario.processes)
    }
}

const fn hello(title: &'static str) -> Scenario {
    row(title, "hello", 0, NONE)
}

/// Returns a shape of several threads, each with a kept connection, or with more connections than threads.
const fn kept(title: &'static str, threads: usize, clients: usize) -> Shape {
    let scenario = hello(title).kept().clients(clients, threads);
    let serves_all = clients <= threads;
    Shape {
        scenario,
        original: if serves_all { Some(1.0) } else { None },
        bare: if serves_all { Some(0.8) } else { None },
        beside: if serves_all { Beside::Nothing } else { Beside::First },
        calls: if serves_all && threads <= 8 { Some(3.25) } else { None },
    }
}

const fn per_request(scenario: Scenario) -> Shape {
    let beside = Beside::Fewer(0.9);
    Shape { scenario, original: Some(1.0), bare: None, beside, calls: None }
}

const fn threads(title: &'static str, threads: usize, clients: usize) -> Shape {
    per_request(hello(title).clients(clients, threads))
}

const fn processes(title: &'static str, processes: usize, clients: usize) -> Shape {
    per_request(hello(title).processes(processes, clients))
}

/// The rows. The original serves as many kept connections as it has threads.
pub(crate) const FAMILIES: &[Family] = &[
    Family {
        apart: true,
        shapes: &[
            kept("4 threads, 4 kept", 4, 4),
            kept("8 threads, 4 kept", 8, 4),
            kept("2 threads, 2 kept", 2, 2),
            kept("16 threads, 16 kept", 16, 16),
            kept("4 threads, 16 kept", 4, 16),
            kept("4 threads, 64 kept", 4, 64),
        ],
    },
    Family { apart: false, shapes: &[kept("16 threads, 16 kept, any CPU", 16, 16)] },
    Family {
        apart: false,
        shapes: &[
            threads("2 threads, 4 clients", 2, 4),
            threads("4 threads, 4 clients", 4, 4),
            threads("16 threads, 4 clients", 16, 4),
            threads("64 threads, 4 clients", 64, 4),
        ],
    },
    Family {
        apart: false,
        shapes: &[
            threads("2 threads, 64 clients", 2, 64),
            threads("4 threads, 64 clients", 4, 64),
            threads("16 threads, 64 clients", 16, 64),
            threads("64 threads, 64 clients", 64, 64),
        ],
    },
    Family {
        apart: false,
        shapes: &[
            processes("2 processes, 4 clients", 2, 4),
            processes("8 processes, 4 clients", 8, 4),
            processes("16 processes, 4 clients", 16, 4),
        ],
    },
    Family {
        apart: false,
        shapes: &[
            processes("2 processes, 64 clients", 2, 64),
            processes("8 processes, 64 clients", 8, 64),
            processes("16 processes, 64 clients", 16, 64),
        ],
    },
];

/// Preforked processes of one thread whose kept connections were opened while all processes were idle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prefork {
    pub(crate) scenario: Scenario,
    pub(crate) to_reach: Reach,
}

/// The target of a prefork row in requests per second.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reach {
    /// This ratio to the original's.
    Original(f64),
    /// This part of what the processes could serve; the original starves connections.
    Capacity(f64),
    /// For information.
    Nothing,
}

impl Reach {
    pub(crate) const fn of_original(self) -> Option<f64> {
        match self {
            Self::Original(least) => Some(least),
            Self::Capacity(_) | Self::Nothing => None,
        }
    }

    pub(crate) const fn of_capacity(self) -> Option<f64> {
        match self {
            Self::Original(_) | Self::Nothing => None,
            Self::Capacity(least) => Some(least),
        }
    }
}

/// Milliseconds of work in a request.
pub(crate) const WORK: usize = 10;

const fn prefork(title: &'static str, processes: usize, clients: usize) -> Prefork {
    let scenario = row(title, "who", 0, NONE).kept().processes(processes, clients).work(WORK);
    let to_reach = if clients <= processes { Reach::Original(0.95) } else { Reach::Capacity(0.9) };
    Prefork { scenario, to_reach }
}

const fn tcp(prefork: Prefork) -> Prefork {
    Prefork { scenario: prefork.scenario.tcp(), to_reach: Reach::Original(0.9) }
}

/// The prefork rows.
pub(crate) const PREFORK: &[Prefork] = &[
    prefork("prefork, 4 processes, 4 kept", 4, 4),
    prefork("prefork, 8 processes, 8 kept", 8, 8),
    prefork("prefork, 8 processes, 4 kept", 8, 4),
    prefork("prefork, 16 processes, 16 kept", 16, 16),
    tcp(prefork("prefork, 8 processes, 8 kept, TCP", 8, 8)),
    prefork("prefork, 4 processes, 8 kept", 4, 8),
    prefork("prefork, 4 processes, 32 kept", 4, 32),
];

/// What nginx does to its idle connections between two rounds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Idle {
    /// Closes them, so that each round opens connections while all processes are idle.
    Closed,
    /// Keeps them, and opens others if the next round's clients reach other workers of nginx.
    Kept,
}

/// Such processes behind nginx, and as many clients of nginx.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BehindNginx {
    pub(crate) prefork: Prefork,
    pub(crate) idle: Idle,
}

const fn behind_nginx(title: &'static str, processes: usize) -> BehindNginx {
    BehindNginx { prefork: prefork(title, processes, processes), idle: Idle::Closed }
}

const fn over_rounds(shape: BehindNginx) -> BehindNginx {
    let prefork = Prefork { to_reach: Reach::Nothing, ..shape.prefork };
    BehindNginx { prefork, idle: Idle::Kept }
}

/// The rows behind nginx.
pub(crate) const BEHIND_NGINX: &[BehindNginx] = &[
    behind_nginx("prefork behind nginx, 4 processes, 4 clients", 4),
    behind_nginx("prefork behind nginx, 8 processes, 8 clients", 8),
    over_rounds(behind_nginx("prefork behind nginx, 4 and 4, kept over rounds", 4)),
    over_rounds(behind_nginx("prefork behind nginx, 8 and 8, kept over rounds", 8)),
];

/// Milliseconds of work in a slow request, during which newcomers arrive.
pub(crate) const SLOW: usize = 20;

/// Returns a scenario of slow requests on kept connections, on all threads but one.
const fn newcomers(title: &'static str, threads: usize) -> Scenario {
    hello(title).kept().clients(threads - 1, threads).work(SLOW)
}

/// The rows of newcomers: the slow requests that run meanwhile.
pub(crate) const NEWCOMERS: &[Scenario] =
    &[newcomers("newcomers, 4 threads, 3 slow", 4), newcomers("newcomers, 8 threads, 7 slow", 8)];
