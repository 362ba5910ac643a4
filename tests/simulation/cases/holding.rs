//! Threads that hold connections of their own, and clients that come while they do.

use std::time::Duration;

use super::{WORK, program, start_servers};
use crate::client::{Client, Keep, Server, request};
use crate::kernel::tasks::{Handle, call, sleep, spawn, with};
use crate::program::{Finish, Given, accept, finish, serve};
use crate::world::{Plan, World, now, random, some_steps};
use crate::{Case, Try};

pub const CASES: &[Case] = &[
    ("threads_hold_connections_of_quick_clients", Try::Seeds(8), || any_quick(Finish::AsAsked)),
    ("threads_really_hold_connections", Try::Once, really_hold),
    ("a_structure_for_each_request", Try::Seeds(6), || any_quick(Finish::WithFreshStructures)),
    ("a_thread_that_does_not_come_back", Try::Seeds(4), gone_thread),
    ("newcomers_beside_threads_that_hold", Try::Seeds(4), newcomers),
    ("threads_in_reserve_come_when_they_are_needed", Try::Seeds(6), reserve),
    ("more_threads_than_wait_in_the_pool", Try::Seeds(6), || {
        let threads = 5 + random(6);
        quick(threads, 1 + random(threads + 2), Finish::AsAsked);
    }),
];

/// The longest time for which a connection may be unarmed while no thread knows of it.
const FORGOTTEN: Duration = Duration::from_micros(10_500);

/// Returns a web server that sends its next request immediately.
fn quick_server(listen: usize) -> Server {
    Server { requests: 8, pause: 500, in_pieces: false, ..Server::new(listen) }
}

/// Runs as many quick clients as threads, or one more. Returns how often a thread has held a
/// connection.
fn quick(threads: u32, clients: u32, how: Finish) -> u32 {
    let mut world = World::new(Plan::default());
    let work = [WORK, Duration::from_millis(1)][random(2) as usize];
    for _ in 0..threads {
        world.start(world.programs[0], move || serve(work, how));
    }
    let servers = start_servers(&world, 0..clients, quick_server);
    servers.into_iter().for_each(Handle::join);
    let holds = with(|kernel| kernel.processes[world.programs[0]].holds);
    world.shut_down();
    world.end();
    holds
}

fn any_quick(how: Finish) {
    let threads = 2 + random(3);
    quick(threads, threads + random(2), how);
}

/// Threads really hold connections; otherwise the other cases would prove little.
fn really_hold() {
    let holds = (0..10).filter(|_| quick(2, 3, Finish::AsAsked) > 0).count();
    assert!(holds > 3, "threads have held connections in {holds} of 10 worlds");
}

/// The last request of a thread: the thread that serves it stays away afterwards.
const LAST: u32 = 1003;

/// A thread gives a connection back and is busy or gone afterwards. The other threads serve that
/// connection too, whether they are idle or hold connections of clients that are always quick.
fn gone_thread() {
    let mut world = World::new(Plan::default());
    let threads = 2 + random(2);
    for _ in 0..threads {
        world.start(world.programs[0], || {
            let mut given = Given::Nothing;
            while let Some(request) = accept(given) {
                let number = request.number;
                sleep(Duration::from_micros(300));
                given = finish(request, Finish::AsAsked);
                if number == LAST {
                    sleep(Duration::from_millis(300));
                }
            }
        });
    }
    let quick = |listen| Server { requests: 60, ..quick_server(listen) };
    let beside = start_servers(&world, 0..threads - random(2), quick);
    let mut client = Client::connect(world.listen);
    for number in LAST - 3..LAST + 2 {
        client.send(&request(number, Keep::Yes)).expect("it is open");
        let begin = now();
        client.expect(number).expect("an answer");
        let waited = now() - begin;
        assert!(waited < FORGOTTEN + Duration::from_millis(2), "it has waited for {waited:?}");
        some_steps(10);
    }
    beside.into_iter().for_each(Handle::join);
    client.close();
    world.shut_down();
    world.end();
}

/// As many quick clients as threads; others connect now and then.
fn newcomers() {
    let mut world = World::new(Plan::default());
    let threads = 1 + random(4);
    program(&mut world, threads as usize, Finish::AsAsked);
    let listen = world.listen;
    let beside =
        start_servers(&world, 0..threads, |listen| Server { requests: 30, ..quick_server(listen) });
    let new = spawn(0, move || {
        for number in 1000..1006 {
            some_steps(30);
            let mut client = Client::connect(listen);
            client.send(&request(number, Keep::No)).expect("it is open");
            let begin = call(|kernel, _| kernel.now);
            client.expect(number).expect("an answer");
            let waited = now() - begin;
            assert!(waited < Duration::from_micros(5500), "a newcomer has waited for {waited:?}");
            client.close();
            sleep(Duration::from_micros(random(2000).into()));
        }
    });
    beside.into_iter().chain([new]).for_each(Handle::join);
    world.shut_down();
    world.end();
}

/// More threads than wait in the pool, and as many slow requests at the same time. Each is served as
/// soon as it comes.
fn reserve() {
    const SLOW: Duration = Duration::from_millis(30);
    let mut world = World::new(Plan::default());
    let threads = 5 + random(4);
    for _ in 0..threads {
        world.start(world.programs[0], || serve(SLOW, Finish::AsAsked));
    }
    let listen = world.listen;
    for round in 0..4 {
        let requests = (0..threads).map(|number| {
            spawn(0, move || {
                sleep(Duration::from_micros(random(4000).into()));
                let mut client = Client::connect(listen);
                let keep = [Keep::Yes, Keep::No][random(2) as usize];
                let number = 100 * round + number;
                client.send(&request(number, keep)).expect("it is open");
                let begin = now();
                client.expect(number).expect("an answer");
                let waited = now() - begin;
                assert!(waited < SLOW + Duration::from_millis(2), "it has waited for {waited:?}");
                client.close();
            })
        });
        requests.collect::<Vec<_>>().into_iter().for_each(Handle::join);
        if random(2) == 0 {
            sleep(Duration::from_millis(random(5000).into()));
        }
    }
    let begin = now();
    world.shut_down();
    assert!(now() < begin + Duration::from_millis(200), "threads in reserve do not come back");
    world.end();
}
