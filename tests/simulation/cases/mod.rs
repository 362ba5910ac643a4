//! The cases.

mod cancelling;
mod ending;
mod holding;
mod likeness;
mod mending;
mod polling;
mod reopening;
mod requests;
mod waiting;

use std::ops::Range;
use std::time::Duration;

use crate::Case;
use crate::client::Server;
use crate::kernel::files::FileId;
use crate::kernel::tasks::{Handle, spawn};
use crate::program::{Finish, serve};
use crate::world::World;

pub fn all() -> Vec<Case> {
    [
        likeness::CASES,
        requests::CASES,
        holding::CASES,
        waiting::CASES,
        polling::CASES,
        cancelling::CASES,
        mending::CASES,
        reopening::CASES,
        ending::CASES,
    ]
    .concat()
}

/// How long a request takes in the program, where a case does not say otherwise.
const WORK: Duration = Duration::from_micros(50);

/// Starts the given number of threads in each process.
fn program(world: &mut World, threads: usize, how: Finish) {
    for process in world.programs.clone() {
        for _ in 0..threads {
            world.start(process, move || serve(WORK, how));
        }
    }
}

/// Starts the given number of web servers, and waits until all have their answers.
fn servers(world: &World, count: u32, server: impl Fn(FileId) -> Server) {
    start_servers(world, 0..count, server).into_iter().for_each(Handle::join);
}

/// Starts web servers with these numbers.
fn start_servers(
    world: &World,
    numbers: Range<u32>,
    server: impl Fn(FileId) -> Server,
) -> Vec<Handle> {
    let listen = world.listen;
    let start = |number| {
        let server = server(listen);
        spawn(0, move || server.run(100 * number))
    };
    numbers.map(start).collect()
}
