//! The program closes its listen socket and opens another with the same number while threads wait
//! there.

use std::time::Duration;

use super::program;
use crate::client::{Client, Keep};
use crate::kernel::Kernel;
use crate::kernel::checks::Checks;
use crate::kernel::files::{FileId, Kind};
use crate::kernel::stream::Listen;
use crate::kernel::tasks::{call, sleep, spawn, with};
use crate::os::socket::Peer;
use crate::program::Finish;
use crate::serve::registry;
use crate::world::{LISTEN_FD, Plan, World, now, random, some_steps};
use crate::{Case, Try};

pub const CASES: &[Case] =
    &[("threads_and_connections_go_on_with_a_new_listen_socket", Try::Seeds(12), reopened)];

/// Closes the program's listen socket and opens another, as FCGX_OpenSocket does.
fn reopen(new: FileId, longest: u32) {
    let steps: [fn(&mut Kernel, usize, FileId); 3] = [
        |kernel, process, _| kernel.replace(process, LISTEN_FD, None),
        |kernel, process, new| kernel.replace(process, LISTEN_FD, Some(new)),
        |kernel, _, new| {
            let listen = Listen { backlog: [].into(), peer: Peer::Unix };
            kernel.files[new].kind = Kind::Listen(listen);
        },
    ];
    for step in steps {
        some_steps(30);
        sleep(Duration::from_millis(random(longest + 1).into()));
        call(|kernel, me| step(kernel, kernel.tasks[me].process, new));
    }
    some_steps(30);
    registry::opened(LISTEN_FD);
}

/// Threads wait, hold a connection or take one while the socket is replaced. A silent connection is
/// taken from the new socket before the threads that waited at the old one have come back.
fn reopened() {
    let checks = Checks { is_lossless: false, ..Checks::default() };
    let mut world = World::new(Plan { checks, ..Plan::default() });
    // A thread that is there before all others blocks in accept4 and stays with the old socket.
    world.start(world.programs[0], || ());
    program(&mut world, 2 + random(2) as usize, Finish::AsAsked);
    let new = with(|kernel| kernel.new_file(Kind::Nothing));
    let mut kept: Vec<Client> = (0..random(3)).map(|_| Client::connect(world.listen)).collect();
    for (number, client) in (100..).zip(&mut kept) {
        client.ask(number, Keep::Yes).expect("an answer");
    }
    // All threads wait now.
    sleep(Duration::from_millis(1));
    // After this time they have looked many times without success.
    if random(2) == 0 {
        sleep(Duration::from_secs(20));
    }
    let mut woken = Client::connect(world.listen);
    if random(2) == 0 {
        woken.ask(200, Keep::No).expect("an answer");
    }
    let process = world.programs[0];
    // Where no connection is known, threads wait only a moment for the new meaning of the number.
    let longest = if kept.is_empty() { 0 } else { 30 };
    let opening = spawn(process, move || reopen(new, longest));
    for (number, client) in (300..).zip(&mut kept) {
        client.ask(number, Keep::Yes).expect("it has stayed");
    }
    opening.join();
    woken.close();
    let begin = now();
    let mut silent = Client::connect(new);
    let mut other = Client::connect(new);
    other.ask(400, Keep::No).expect("an answer");
    assert!(now() < begin + Duration::from_millis(2100), "found after {:?}", now() - begin);
    for number in 401..406 {
        let mut other = Client::connect(new);
        other.ask(number, Keep::No).expect("an answer");
        other.close();
    }
    silent.ask(406, Keep::Yes).expect("it has stayed");
    for (number, client) in (500..).zip(&mut kept) {
        client.ask(number, Keep::Yes).expect("it has stayed");
    }
    kept.into_iter().chain([silent, other]).for_each(Client::close);
    world.shut_down();
    world.listen = new;
    world.end();
}
