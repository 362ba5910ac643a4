//! Shutting down, dying and forking at any moment.

use std::time::Duration;

use super::{program, start_servers};
use crate::client::{Client, Keep, Server, request};
use crate::kernel::checks::Checks;
use crate::kernel::tasks::{Handle, call, sleep, spawn, with, with_me};
use crate::os::shutdown;
use crate::program::{Finish, Given, accept, finish};
use crate::world::{Plan, World, now, process_here, random, some_steps};
use crate::{Case, Try};

pub const CASES: &[Case] = &[
    ("shutting_down_serves_what_was_sent", Try::Seeds(6), shutting_down),
    ("what_is_sent_within_the_drain_time_is_answered", Try::Seeds(4), drain),
    ("one_process_shuts_down_and_another_goes_on", Try::Seeds(6), one_shuts_down),
    ("a_process_shuts_down_that_was_woken_for_a_connection", Try::Seeds(4), woken_and_asked_to_end),
    ("a_process_dies_that_was_woken_for_a_connection", Try::Seeds(4), woken_and_dead),
    ("a_process_dies_and_another_goes_on", Try::Seeds(4), one_dies),
    ("a_child_closes_what_is_parked_and_nothing_else", Try::Seeds(4), a_child_of_a_program),
    ("a_peer_sees_the_end_although_a_child_has_a_copy", Try::Seeds(2), a_child_with_copies),
];

/// Keep-alive connections with a request sent before the shutdown request: each is answered, then
/// closed.
fn shutting_down() {
    let mut world = World::new(Plan::default());
    let threads = 1 + random(4) as usize;
    program(&mut world, threads, Finish::AsAsked);
    let mut clients: Vec<Client> = (0..3).map(|_| Client::connect(world.listen)).collect();
    for (number, client) in (0..).zip(&mut clients) {
        client.ask(number, Keep::Yes).expect("an answer");
    }
    some_steps(20);
    let (with_request, silent) = (random(4) as usize, now());
    for (number, client) in (100..).zip(&clients[..with_request]) {
        client.send(&request(number, Keep::Yes)).expect("it is open");
        some_steps(3);
    }
    world.programs.iter().for_each(|&process| shutdown::request(process));
    for (number, client) in (100..).zip(&mut clients[..with_request]) {
        client.expect(number).expect("what was sent is served");
    }
    for client in &mut clients {
        client.wait_for_end();
    }
    world.join();
    assert!(now() < silent + Duration::from_millis(100), "every thread is back within 100 ms");
    clients.into_iter().for_each(Client::close);
    world.end();
}

/// A request sent within the drain time is answered, and a silent connection is closed when the time
/// ends.
fn drain() {
    const DRAIN: Duration = Duration::from_millis(500);
    let settings = &[("LIBFCGI_DRAIN", "500")];
    let mut world = World::new(Plan { settings, ..Plan::default() });
    program(&mut world, 1 + random(3) as usize, Finish::AsAsked);
    let mut clients: Vec<Client> = (0..4).map(|_| Client::connect(world.listen)).collect();
    for (number, client) in (0..).zip(&mut clients) {
        client.ask(number, Keep::Yes).expect("an answer");
    }
    let begin = now();
    world.programs.iter().for_each(|&process| shutdown::request(process));
    let mut silent = clients.pop().expect("a client");
    let late = |(number, mut client): (u32, Client)| {
        spawn(0, move || {
            sleep(Duration::from_millis(random(495).into()));
            client.last_piece = 16;
            client.send_in_pieces(&request(number, Keep::Yes)).expect("it is open");
            client.expect(number).expect("what was sent is served");
            client.wait_for_end();
            client.close();
        })
    };
    let late: Vec<_> = (100..).zip(clients).map(late).collect();
    silent.wait_for_end();
    assert!(now() >= begin + DRAIN, "it was closed after {:?}", now() - begin);
    late.into_iter().for_each(Handle::join);
    world.join();
    assert!(now() < begin + 2 * DRAIN + Duration::from_millis(50), "every thread is back");
    silent.close();
    world.end();
}

/// Only requests sent after the shutdown request may be lost, and those were not served.
fn one_shuts_down() {
    let mut world = World::new(Plan { processes: 2, ..Plan::default() });
    program(&mut world, 1 + random(2) as usize, Finish::AsAsked);
    let ends = world.programs[0];
    let servers =
        start_servers(&world, 0..3, |listen| Server { may_lose: true, ..Server::new(listen) });
    let more = start_servers(&world, 3..5, |listen| Server {
        may_lose: true,
        keep: Keep::No,
        ..Server::new(listen)
    });
    some_steps(300);
    shutdown::request(ends);
    servers.into_iter().chain(more).for_each(Handle::join);
    world.shut_down();
    world.end();
}

/// The requests that the dead process was serving are lost; the connections that wait to be accepted
/// are not.
fn one_dies() {
    let checks = Checks { is_lossless: false, ..Checks::default() };
    let mut world = World::new(Plan { processes: 2, checks, ..Plan::default() });
    program(&mut world, 1, Finish::AsAsked);
    let dies = world.programs[0];
    let servers = start_servers(&world, 0..3, |listen| Server {
        may_lose: true,
        may_die: true,
        keep: Keep::No,
        ..Server::new(listen)
    });
    some_steps(200);
    call(|kernel, _| kernel.kill(dies));
    servers.into_iter().for_each(Handle::join);
    world.shut_down();
    world.end();
}

/// Ends one of two waiting processes at the moment when one of them is woken for a connection. Returns
/// the time until the connection has its answer, unless it was lost with the process.
fn woken_and_ended(how: fn(usize)) -> Option<Duration> {
    let checks = Checks { is_lossless: false, ..Checks::default() };
    let mut world = World::new(Plan { processes: 2, checks, ..Plan::default() });
    program(&mut world, 1, Finish::AsAsked);
    for number in 0..4 {
        // Both processes wait now, and in the pool.
        let mut client = Client::connect(world.listen);
        sleep(Duration::from_millis(30));
        client.ask(number, Keep::No).expect("an answer");
        client.close();
    }
    sleep(Duration::from_millis(random(1000).into()));
    let (mut client, begin) = (Client::connect(world.listen), now());
    client.send(&request(10, Keep::No)).expect("it is open");
    some_steps(6);
    how(world.programs[random(2) as usize]);
    let result = client.receive();
    let waited = now() - begin;
    client.close();
    world.shut_down();
    world.end();
    result.ok().map(|_| waited)
}

fn woken_and_asked_to_end() {
    let waited = woken_and_ended(shutdown::request).expect("an answer");
    assert!(waited < Duration::from_millis(50), "it waits for {waited:?}");
}

fn woken_and_dead() {
    let waited = woken_and_ended(|process| call(|kernel, _| kernel.kill(process)));
    let waited = waited.unwrap_or_default();
    assert!(waited < Duration::from_millis(1050), "it waits for {waited:?}");
}

/// A thread forks while it has a request; the parent's other threads do not exist in the child. The
/// child answers its copy of the request, takes a new one and ends. The peers see no end of a
/// connection, because the parent still has all of them.
fn a_child_of_a_program() {
    let checks = Checks { is_lossless: false, ..Checks::default() };
    let mut world = World::new(Plan { checks, ..Plan::default() });
    let threads = random(3) as usize;
    program(&mut world, threads, Finish::AsAsked);
    let (listen, process) = (world.listen, world.programs[0]);
    world.start(process, move || {
        // Waits until all threads have begun.
        while with(|kernel| kernel.threads_of(process)) as usize <= threads {
            sleep(Duration::from_micros(10));
        }
        let mut given = Given::Nothing;
        for _ in 0..random(5) {
            let Some(request) = accept(given) else { return };
            given = finish(request, Finish::AsAsked);
        }
        let Some(request) = accept(given) else { return };
        some_steps(20);
        become_child();
        spawn(0, move || Server { requests: 1, ..Server::new(listen) }.run(LATE));
        let mut is_late = false;
        let mut given = finish(request, Finish::AsAsked);
        while !is_late {
            let request = accept(given).expect("a new connection");
            is_late = request.number == LATE;
            given = finish(request, Finish::AsAsked);
        }
        given.forget();
        // The peer has its answer by then.
        sleep(Duration::from_millis(20));
        call(|kernel, _| kernel.kill(process));
    });
    let servers =
        start_servers(&world, 0..3, |listen| Server { may_stop: true, ..Server::new(listen) });
    servers.into_iter().for_each(Handle::join);
    while with(|kernel| kernel.processes[process].generation > 0 && !kernel.processes[process].dead)
    {
        sleep(Duration::from_millis(10));
    }
    world.shut_down();
    world.end();
}

/// The number of a request sent after a fork.
const LATE: u32 = 1000;

/// Turns the calling thread into a child. Its parent is a process that does nothing more.
fn become_child() {
    let (clean_up, before, has_threads) = call(|kernel, me| {
        let process = kernel.tasks[me].process;
        kernel.fork(process);
        kernel.freeze_others(me);
        let process = kernel.process(me);
        process.generation += 1;
        (process.clean_up, process.table.clone(), process.has_threads)
    });
    clean_up.expect("a listener")();
    with_me(|kernel, me| {
        kernel.forget_wake_up(me);
        let process = kernel.tasks[me].process;
        for (fd, file) in before.iter().enumerate() {
            let Some(file) = *file else { continue };
            let is_closed = kernel.processes[process].table[fd].is_none();
            let Some(life) = kernel.life(file) else { continue };
            assert!(!(is_closed && life.in_program), "an active connection is closed in a child");
            // Another thread of the parent may have held it.
            let is_parked = !life.in_program && !has_threads;
            assert!(is_closed || !is_parked, "a child keeps its parent's connection open");
        }
    });
}

/// A program starts other programs while it has a request; they have copies of its connections for a
/// while.
fn a_child_with_copies() {
    let mut world = World::new(Plan::default());
    world.start(world.programs[0], || {
        let mut given = Given::Nothing;
        while let Some(request) = accept(given) {
            let here = process_here();
            let child = call(|kernel, _| kernel.fork(here));
            spawn_end_of(child);
            given = finish(request, Finish::ClosesOften);
        }
    });
    for number in 0..4 {
        let mut client = Client::connect(world.listen);
        client.ask(number, Keep::No).expect("an answer");
        let answered = now();
        client.wait_for_end();
        assert!(now() < answered + Duration::from_millis(10), "the end is late");
        client.close();
    }
    sleep(Duration::from_secs(2));
    world.shut_down();
    world.end();
}

/// Ends a child one second later.
fn spawn_end_of(child: usize) {
    spawn(0, move || {
        sleep(Duration::from_secs(1));
        call(|kernel, _| kernel.kill(child));
    });
}
