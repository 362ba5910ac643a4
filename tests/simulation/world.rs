//! A world: the processes of a program, a listen socket that they share, and web servers. Schedules are
//! tried one after the other, each in a world of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

use crate::kernel::Kernel;
use crate::kernel::checks::Checks;
use crate::kernel::files::{FileId, Kind};
use crate::kernel::stream::Listen;
use crate::kernel::tasks::{self, Handle, spawn, with, with_me};
use crate::os::shutdown;
use crate::os::socket::Peer;
use crate::serve::{config, registry};

/// The number of descriptors that a process may have, where a case does not say otherwise.
const DESCRIPTORS: usize = 1024;

/// The listen socket's number in every process of a program.
pub const LISTEN_FD: i32 = 3;

/// The settings of a world.
pub struct Plan {
    pub peer: Peer,
    pub processes: usize,
    pub descriptors: usize,
    pub settings: &'static [(&'static str, &'static str)],
    pub checks: Checks,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            peer: Peer::Unix,
            processes: 1,
            descriptors: DESCRIPTORS,
            settings: &[],
            checks: Checks::default(),
        }
    }
}

pub struct World {
    pub listen: FileId,
    /// The processes of the program. The web servers are process 0.
    pub programs: Vec<usize>,
    threads: Vec<Handle>,
}

fn empty_kernel(plan: &mut Plan) -> Kernel {
    static WORLDS: AtomicU64 = AtomicU64::new(0);
    let settings = plan.settings.iter().map(|(name, value)| (*name, (*value).to_owned()));
    Kernel {
        world: WORLDS.fetch_add(1, Ordering::Relaxed),
        now: Duration::ZERO,
        files: Vec::new(),
        processes: Vec::new(),
        tasks: Vec::new(),
        running: 0,
        alive: 0,
        woken: Vec::new(),
        locks: BTreeMap::new(),
        timers: BTreeSet::new(),
        news: 0,
        joiners: Vec::new(),
        environment: settings.collect(),
        checks: std::mem::take(&mut plan.checks),
        served: BTreeMap::new(),
        unheard: BTreeMap::new(),
        servers: BTreeMap::new(),
    }
}

impl World {
    /// Starts a world; the calling task is the world's own, in process 0.
    pub fn new(mut plan: Plan) -> Self {
        let mut kernel = empty_kernel(&mut plan);
        kernel.new_process(false, usize::MAX);
        tasks::begin(kernel);
        config::read();
        let listen = with(|kernel| {
            kernel.new_file(Kind::Listen(Listen { backlog: [].into(), peer: plan.peer }))
        });
        let mut world = Self { listen, programs: Vec::new(), threads: Vec::new() };
        for _ in 0..plan.processes {
            world.add_process(plan.descriptors);
        }
        world
    }

    /// Adds a process that waits on the listen socket.
    pub fn add_process(&mut self, descriptors: usize) -> usize {
        let number = with(|kernel| {
            let number = kernel.new_process(true, descriptors);
            kernel.processes[number].table.push(Some(self.listen));
            kernel.files[self.listen].descriptors += 1;
            number
        });
        self.programs.push(number);
        number
    }

    /// Starts a thread of the program, which is joined at the end.
    pub fn start(&mut self, process: usize, run: impl FnOnce() + Send + 'static) {
        with(|kernel| {
            let has_threads = kernel.processes[process].has_a_thread;
            kernel.processes[process].has_threads |= has_threads;
            kernel.processes[process].has_a_thread = true;
        });
        self.threads.push(spawn(process, run));
    }

    /// Asks every process to shut down, and waits for its threads.
    pub fn shut_down(&mut self) {
        self.programs.iter().for_each(|&process| shutdown::request(process));
        self.join();
    }

    pub fn join(&mut self) {
        with(|kernel| {
            let dead = kernel.new_process(false, 0);
            kernel.processes[dead].dead = true;
            kernel.end_frozen(dead);
        });
        tasks::wake_woken();
        self.threads.drain(..).for_each(Handle::join);
    }

    /// Ends the world. Checks that the library has left nothing: no connection, no memory and no flag
    /// of the listen socket.
    pub fn end(mut self) {
        self.join();
        tasks::join_all();
        let mut has_left = false;
        for process in self.programs.drain(..) {
            if with(|kernel| kernel.processes[process].dead) {
                continue;
            }
            spawn(process, || assert!(!registry::shut_down(), "a request is left")).join();
            with(|kernel| {
                let files = kernel.processes[process].table.iter().flatten();
                let open = files.filter(|file| kernel.life(**file).is_some());
                assert_eq!(open.count(), 0, "connections are left open");
            });
            has_left = true;
        }
        if has_left {
            with(|kernel| kernel.check_flags(self.listen));
        }
    }
}

/// Returns the virtual time since the beginning of the world.
pub fn now() -> Duration {
    with(|kernel| kernel.now)
}

/// Returns a random number below `end`; the schedule determines it.
pub fn random(end: u32) -> u32 {
    thread_rng().gen_range(0..end)
}

/// Lets others take a random number of steps.
pub fn some_steps(most: u32) {
    for _ in 0..random(most + 1) {
        tasks::call(|_, _| ());
    }
}

/// Returns the process of the calling task.
pub fn process_here() -> usize {
    with_me(|kernel, me| kernel.tasks[me].process)
}

/// The schedules to be tried.
#[derive(Clone, Copy, Debug)]
pub struct Schedules {
    /// The first seed; the others follow it.
    pub from: u64,
    pub count: u64,
}

/// The number of schedules tried for one seed.
const OF_ONE_SEED: usize = 20;

/// The number of priority changes in a schedule of [`PctScheduler`].
const DEPTH: usize = 3;

/// Tries schedules. Half of them switch threads at every chance, the other half seldom: each kind finds
/// rare orders that the other misses. Fails with the seed of the first schedule that fails.
pub fn explore(schedules: Schedules, world: fn()) -> Result<(), u64> {
    for seed in schedules.from..schedules.from + schedules.count {
        let mut config = Config::new();
        config.stack_size = 1 << 19;
        config.failure_persistence = FailurePersistence::None;
        config.max_steps = MaxSteps::FailAfter(1_000_000);
        let run = || {
            if seed % 2 == 0 {
                Runner::new(RandomScheduler::new_from_seed(seed, OF_ONE_SEED), config).run(world)
            } else {
                Runner::new(PctScheduler::new_from_seed(seed, DEPTH, OF_ONE_SEED), config)
                    .run(world)
            }
        };
        if catch_unwind(AssertUnwindSafe(run)).is_err() {
            eprintln!("{}", tasks::report());
            return Err(seed);
        }
    }
    Ok(())
}

/// Tries one schedule.
pub fn once(world: fn()) -> Result<(), u64> {
    let mut config = Config::new();
    config.stack_size = 1 << 19;
    config.failure_persistence = FailurePersistence::None;
    config.max_steps = MaxSteps::None;
    let run = || Runner::new(RandomScheduler::new_from_seed(0, 1), config).run(world);
    catch_unwind(AssertUnwindSafe(run)).map(drop).map_err(|_| {
        eprintln!("{}", tasks::report());
        0
    })
}
