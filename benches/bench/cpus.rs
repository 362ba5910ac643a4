//! Keeps client and server on different processors if the machine has two.

use std::mem;

/// The processors of the load generator and of the servers.
pub(crate) struct Cpus {
    all: libc::cpu_set_t,
    /// The client's processor, which is the last, and the servers'. `None`: everything runs on all.
    apart: Option<[libc::cpu_set_t; 2]>,
}

/// The side that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Client,
    Server,
}

impl Cpus {
    /// Leaves the choice to the kernel.
    pub(crate) fn shared() -> Self {
        Self { all: allowed(), apart: None }
    }

    /// Keeps them apart unless the machine has only one processor.
    pub(crate) fn apart() -> Self {
        let all = allowed();
        let mut server = all;
        // SAFETY: a set of bits; all zero is the empty one.
        let mut client: libc::cpu_set_t = unsafe { mem::zeroed() };
        // SAFETY: counts bits of a value of our own.
        let count = unsafe { libc::CPU_COUNT(&all) };
        let numbers = 0..libc::CPU_SETSIZE as usize;
        // SAFETY: the number is below CPU_SETSIZE.
        let last = numbers.rev().find(|at| unsafe { libc::CPU_ISSET(*at, &all) }).unwrap_or(0);
        // SAFETY: the number is below CPU_SETSIZE.
        unsafe {
            libc::CPU_SET(last, &mut client);
            libc::CPU_CLR(last, &mut server);
        }
        Self { all, apart: (count > 1).then_some([client, server]) }
    }

    /// Runs `work`, and the processes that it starts, on the processors of one part only.
    pub(crate) fn on<T>(&self, part: Part, work: impl FnOnce() -> T) -> T {
        if let Some([client, server]) = &self.apart {
            stay_on(if part == Part::Client { client } else { server });
        }
        let done = work();
        if self.apart.is_some() {
            stay_on(&self.all);
        }
        done
    }
}

fn allowed() -> libc::cpu_set_t {
    // SAFETY: a set of bits; all zero is the empty one.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: the kernel writes at most the set's size to a place that outlives the call.
    let done = unsafe { libc::sched_getaffinity(0, mem::size_of_val(&set), &raw mut set) };
    assert_eq!(done, 0, "sched_getaffinity");
    set
}

/// Keeps the calling thread and the processes that it starts on these processors.
fn stay_on(set: &libc::cpu_set_t) {
    // SAFETY: the kernel reads a set of this size from a place that outlives the call.
    let done = unsafe { libc::sched_setaffinity(0, mem::size_of_val(set), set) };
    assert_eq!(done, 0, "sched_setaffinity");
}
