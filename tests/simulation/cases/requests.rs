//! Every request is answered exactly once, whatever the schedule.

use std::time::Duration;

use super::{WORK, program, servers};
use crate::client::{Client, Keep, Server, request, times_served};
use crate::kernel::checks::Checks;
use crate::kernel::tasks::{sleep, spawn, with};
use crate::program::{Finish, serve};
use crate::world::{Plan, World, random, some_steps};
use crate::{Case, Try};

pub const CASES: &[Case] = &[
    ("one_thread_and_kept_connections", Try::Seeds(3), || answered(1, 1, Keep::Yes)),
    ("one_thread_and_a_connection_per_request", Try::Seeds(3), || answered(1, 1, Keep::No)),
    ("two_threads_and_kept_connections", Try::Seeds(8), || answered(1, 2, Keep::Yes)),
    ("two_threads_and_a_connection_per_request", Try::Seeds(4), || answered(1, 2, Keep::No)),
    ("four_threads_and_kept_connections", Try::Seeds(4), || answered(1, 4, Keep::Yes)),
    ("processes_and_kept_connections", Try::Seeds(4), || answered(3, 1, Keep::Yes)),
    ("processes_and_a_connection_per_request", Try::Seeds(4), || answered(3, 1, Keep::No)),
    ("processes_with_threads", Try::Seeds(4), || answered(2, 2, Keep::Yes)),
    ("requests_that_are_sent_ahead", Try::Seeds(2), sent_ahead),
    ("a_thread_that_comes_later", Try::Seeds(2), a_thread_more),
    ("connections_that_are_lost_as_they_are_accepted", Try::Seeds(2), lost_connections),
    ("connections_that_the_program_closes", Try::Seeds(4), closed_by_the_program),
    ("more_kept_connections_than_may_wait", Try::Seeds(8), over_the_limit),
    ("out_of_descriptors_for_a_while", Try::Seeds(4), out_of_descriptors),
    ("few_descriptors", Try::Seeds(4), few_descriptors),
];

/// No request is lost, and no connection is closed.
fn answered(processes: usize, threads: usize, keep: Keep) {
    let mut world = World::new(Plan { processes, ..Plan::default() });
    program(&mut world, threads, Finish::AsAsked);
    servers(&world, 3, |listen| Server { keep, ..Server::new(listen) });
    world.shut_down();
    world.end();
}

/// Many requests sent ahead on one connection; clients that wait next to it are served in between.
fn sent_ahead() {
    const AHEAD: u32 = 60;
    let mut world = World::new(Plan::default());
    program(&mut world, 1 + random(2) as usize, Finish::AsAsked);
    let mut ahead: Vec<Client> = (0..2).map(|_| Client::connect(world.listen)).collect();
    let mut other = Client::connect(world.listen);
    other.ask(1, Keep::Yes).expect("an answer");
    for (number, client) in (1..).zip(&ahead) {
        let requests = (0..AHEAD).flat_map(|more| request(1000 * number + more, Keep::Yes));
        client.send(&requests.collect::<Vec<_>>()).expect("it is open");
    }
    other.send(&request(2, Keep::Yes)).expect("it is open");
    other.expect(2).expect("an answer");
    let last = (1..3).filter(|number| times_served(1000 * number + AHEAD - 1) == 1);
    assert!(last.count() < 2, "all requests sent ahead were served first");
    for (number, client) in (1..).zip(&mut ahead) {
        for more in 0..AHEAD {
            client.expect(1000 * number + more).expect("an answer");
        }
    }
    ahead.into_iter().chain([other]).for_each(Client::close);
    world.shut_down();
    world.end();
}

/// A connection registered while the process had one thread is in the program when a second thread
/// begins to wait.
fn a_thread_more() {
    let mut world = World::new(Plan::default());
    let process = world.programs[0];
    world.start(process, || serve(Duration::from_millis(20), Finish::AsAsked));
    let mut client = Client::connect(world.listen);
    client.ask(0, Keep::Yes).expect("an answer");
    sleep(Duration::from_millis(1));
    let next = request(2, Keep::Yes);
    client.send(&request(1, Keep::Yes)).expect("it is open");
    sleep(Duration::from_millis(1));
    client.send(&next[..20]).expect("it is open");
    world.start(process, || serve(WORK, Finish::AsAsked));
    client.expect(1).expect("an answer");
    client.send(&next[20..]).expect("it is open");
    client.expect(2).expect("an answer");
    client.close();
    world.shut_down();
    world.end();
}

fn lost_connections() {
    let mut world = World::new(Plan::default());
    program(&mut world, 1 + random(2) as usize, Finish::AsAsked);
    let process = world.programs[0];
    with(|kernel| kernel.processes[process].aborts = random(12));
    servers(&world, 3, Server::new);
    world.shut_down();
    world.end();
}

fn closed_by_the_program() {
    let mut world = World::new(Plan::default());
    program(&mut world, 2, Finish::ClosesOften);
    servers(&world, 3, |listen| Server { may_lose: true, ..Server::new(listen) });
    world.shut_down();
    world.end();
}

/// Slots of the table are reused while old events are still on their way.
fn over_the_limit() {
    let checks = Checks { most_parked: 1, ..Checks::default() };
    let settings = &[("LIBFCGI_MAX_WAITING", "1")];
    let mut world = World::new(Plan { settings, checks, ..Plan::default() });
    program(&mut world, 1 + random(3) as usize, Finish::AsAsked);
    servers(&world, 4, |listen| Server { may_lose: true, ..Server::new(listen) });
    world.shut_down();
    world.end();
}

fn out_of_descriptors() {
    let checks = Checks { is_lossless: false, ..Checks::default() };
    let mut world = World::new(Plan { checks, ..Plan::default() });
    let process = world.programs[0];
    let shortage = move || {
        some_steps(200);
        with(|kernel| kernel.processes[process].shortage = true);
        sleep(Duration::from_millis(random(300).into()));
        with(|kernel| kernel.processes[process].shortage = false);
    };
    program(&mut world, 1 + random(2) as usize, Finish::AsAsked);
    let shortage = spawn(0, shortage);
    servers(&world, 3, |listen| Server { may_lose: true, ..Server::new(listen) });
    shortage.join();
    world.shut_down();
    world.end();
}

/// A process may have eight descriptors: the listen socket, epoll and the wake-up take four, and one is
/// left.
fn few_descriptors() {
    let checks = Checks { is_lossless: false, ..Checks::default() };
    let mut world = World::new(Plan { descriptors: 8, checks, ..Plan::default() });
    program(&mut world, 1 + random(3) as usize, Finish::AsAsked);
    servers(&world, 3, |listen| Server { may_lose: true, ..Server::new(listen) });
    world.shut_down();
    world.end();
}
