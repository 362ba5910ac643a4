//! Programs that poll the pool's descriptor, and calls that wait for a limited time.

use std::collections::VecDeque;
use std::time::Duration;

use super::{WORK, program, servers, start_servers};
use crate::client::{Client, Keep, Server, request};
use crate::kernel::checks::Checks;
use crate::kernel::tasks::{Handle, call, here, sleep, spawn, with, with_me};
use crate::os::error::would_block;
use crate::os::poll::{PollFd, READABLE, poll};
use crate::os::shutdown;
use crate::os::socket::Peer;
use crate::program::{Finish, Given, Request, accept, accept_within, check_end, finish, give_back};
use crate::serve::registry;
use crate::world::{LISTEN_FD, Plan, World, now, random, some_steps};
use crate::{Case, Try};

pub const CASES: &[Case] = &[
    ("an_event_loop_serves_every_request", Try::Seeds(8), event_loop),
    ("an_event_loop_beside_threads_that_block", Try::Seeds(8), beside_threads),
    ("an_event_loop_keeps_the_limits_of_silent_connections", Try::Seeds(2), silent_connections),
    ("an_event_loop_out_of_descriptors", Try::Seeds(4), few_descriptors),
    ("an_event_loop_drains_without_loss", Try::Seeds(8), drain),
    ("an_event_loop_drains_beside_threads_that_block", Try::Seeds(8), drain_beside_threads),
    ("a_drain_ends_although_connections_go_on_coming", Try::Seeds(4), drain_under_load),
    ("a_request_that_ends_while_an_event_loop_drains", Try::Seeds(2), late_end),
    ("calls_with_limits_of_time_serve_every_request", Try::Seeds(6), limited_calls),
    ("calls_with_limits_of_time_drain_without_loss", Try::Seeds(6), limited_drain),
];

/// The most calls of an event loop in a row that find nothing although the descriptor was readable.
const MOST_IN_VAIN: u32 = 30;

/// The time in which all threads of a polled pool hear that it drains, and a bit more.
const TIME_TO_WAKE: Duration = Duration::from_millis(70);

/// What [`look`] has found.
enum Found {
    Request(Request),
    Nothing,
    Over,
}

/// Returns whether a descriptor is readable, how much has happened so far, and how many times this thread
/// has slept.
fn state_of(fd: i32) -> (bool, u64, u32) {
    with_me(|kernel, me| {
        let file = kernel.file_of(me, fd).expect("it stays open");
        (kernel.is_readable(file), kernel.news, kernel.tasks[me].sleeps)
    })
}

/// Looks for a request without waiting. Checks that there is none where the descriptor was unreadable, and
/// that the call has not slept.
fn look(descriptor: i32, given: Given) -> Found {
    let (was_readable, before, slept) = state_of(descriptor);
    let result = accept_within(given, Some(Duration::ZERO), None);
    let (_, after, sleeps) = state_of(descriptor);
    assert_eq!(sleeps, slept, "a call that does not wait has slept");
    match result {
        Ok(request) => {
            let is_late = !was_readable && before == after;
            assert!(!is_late, "a request that the descriptor has not announced");
            Found::Request(request)
        }
        Err(error) if error.raw_os_error() == would_block().raw_os_error() => Found::Nothing,
        Err(error) => {
            check_end(&error);
            Found::Over
        }
    }
}

/// Calls in a row that find nothing although the descriptor was readable.
#[derive(Default)]
struct Vain {
    number: u32,
    since: Duration,
    last: Duration,
}

impl Vain {
    /// Counts a call that has found nothing, and checks that there are not too many.
    fn count(&mut self, was_readable: bool) {
        let is_first = !was_readable || now() > self.last + Duration::from_millis(2);
        self.last = now();
        if is_first {
            (self.number, self.since) = (0, now());
        }
        self.number += u32::from(was_readable);
        // Threads that sleep in the pool are woken when it begins to drain.
        let time = if shutdown::is_requested() { TIME_TO_WAKE } else { Duration::ZERO };
        let is_in_vain = self.number >= MOST_IN_VAIN && now() >= self.since + time;
        assert!(!is_in_vain, "it is readable again and again");
    }
}

/// An event loop: one thread with several requests in hand, each of which takes the given time.
struct Loop {
    descriptor: i32,
    work: Duration,
    most: usize,
    /// The requests in hand, and when each is finished.
    in_hand: VecDeque<(Duration, Request)>,
    /// The contents of structures without a request.
    free: Vec<Given>,
    vain: Vain,
}

impl Loop {
    fn new(work: Duration, most: usize) -> Self {
        let listener = registry::of(LISTEN_FD).expect("memory");
        let descriptor = listener.poll_descriptor().expect("a descriptor");
        here(|process| process.is_polled = true);
        let (in_hand, free, vain) = (VecDeque::new(), Vec::new(), Vain::default());
        Self { descriptor, work, most, in_hand, free, vain }
    }

    /// Ends requests whose time has come, or all.
    fn end(&mut self, until: Duration) {
        while self.in_hand.front().is_some_and(|(end, _)| *end <= until) {
            let Some((_, request)) = self.in_hand.pop_front() else { break };
            self.free.push(finish(request, Finish::AsAsked));
        }
    }

    /// Waits until the descriptor is readable or a request is to be ended.
    fn wait(&self) -> bool {
        let mut fds = [PollFd::new(self.descriptor, READABLE)];
        let asked = if self.in_hand.len() < self.most { &mut fds[..] } else { &mut [] };
        let end = self.in_hand.front().map(|(end, _)| end.saturating_sub(now()));
        poll(asked, end).is_ok_and(|found| found > 0)
    }

    /// Runs until a shutdown request.
    fn run(mut self) {
        loop {
            let is_readable = self.wait();
            self.end(now());
            // Now and then it looks although the descriptor says nothing.
            if !is_readable && random(4) != 0 || self.in_hand.len() >= self.most {
                continue;
            }
            match look(self.descriptor, self.free.pop().unwrap_or_default()) {
                Found::Request(request) => {
                    let end = now() + self.work;
                    self.in_hand.push_back((end, request));
                    self.vain = Vain::default();
                }
                Found::Nothing => {
                    self.vain.count(is_readable);
                }
                Found::Over => break,
            }
        }
        self.end(Duration::MAX);
        self.free.drain(..).for_each(Given::forget);
        here(|process| process.is_polled = false);
    }
}

/// Starts an event loop in each process.
fn event_loops(world: &mut World, most: usize) {
    for process in world.programs.clone() {
        world.start(process, move || Loop::new(WORK * 10, most).run());
    }
}

/// Checks of worlds in which a process is not always ready to accept.
fn checks() -> Checks {
    let most_unheard = Duration::from_millis(20);
    Checks { most_unaccepted: most_unheard, most_unheard, ..Checks::default() }
}

fn event_loop() {
    let processes = 1 + random(2) as usize;
    let mut world = World::new(Plan { processes, checks: checks(), ..Plan::default() });
    event_loops(&mut world, 1 + random(4) as usize);
    let more =
        start_servers(&world, 4..6, |listen| Server { keep: Keep::No, ..Server::new(listen) });
    servers(&world, 4, Server::new);
    more.into_iter().for_each(Handle::join);
    world.shut_down();
    world.end();
}

fn beside_threads() {
    let mut world = World::new(Plan { checks: checks(), ..Plan::default() });
    event_loops(&mut world, 1 + random(4) as usize);
    program(&mut world, 1 + random(5) as usize, Finish::AsAsked);
    let more =
        start_servers(&world, 4..6, |listen| Server { keep: Keep::No, ..Server::new(listen) });
    servers(&world, 4, Server::new);
    more.into_iter().for_each(Handle::join);
    world.shut_down();
    world.end();
}

/// Silent connections end in time, whoever waits; those that have had a request stay.
fn silent_connections() {
    for (peer, limit) in [(Peer::Unix, 2), (Peer::V4([127, 0, 0, 1].into()), 60)] {
        let limit = Duration::from_secs(limit);
        let checks = Checks { patience: Some(limit), ..checks() };
        let mut world = World::new(Plan { peer, checks, ..Plan::default() });
        event_loops(&mut world, 2);
        program(&mut world, random(3) as usize, Finish::AsAsked);
        let mut kept = Client::connect(world.listen);
        kept.ask(1, Keep::Yes).expect("an answer");
        let mut silent = Vec::new();
        for _ in 0..3 {
            let mut client = Client::connect(world.listen);
            client.patience = 2 * limit;
            silent.push((now(), client));
            sleep(limit / 5);
        }
        for (begin, client) in &mut silent {
            client.wait_for_end();
            let lived = now() - *begin;
            let most = limit + Duration::from_millis(30);
            assert!(lived >= limit && lived < most, "{lived:?}");
        }
        kept.ask(2, Keep::Yes).expect("an answer");
        kept.close();
        silent.into_iter().for_each(|(_, client)| client.close());
        world.shut_down();
        world.end();
    }
}

/// Where descriptors are short, connections without a request make room.
fn few_descriptors() {
    let checks = Checks { is_lossless: false, ..checks() };
    let mut world =
        World::new(Plan { descriptors: 14, checks, settings: DRAINS, ..Plan::default() });
    event_loops(&mut world, 2);
    // It has its descriptors now.
    sleep(Duration::from_millis(1));
    program(&mut world, random(3) as usize, Finish::AsAsked);
    let silent: Vec<Client> = (0..10).map(|_| Client::connect(world.listen)).collect();
    let server = |listen| Server { keep: Keep::No, may_lose: true, ..Server::new(listen) };
    servers(&world, 3, server);
    silent.into_iter().for_each(Client::close);
    // It drains while connections wait for which there are no descriptors.
    let mut kept = Client::connect(world.listen);
    kept.ask(1000, Keep::Yes).expect("an answer");
    with(|kernel| kernel.processes[1].shortage = true);
    let late = Client::connect(world.listen);
    sleep(Duration::from_millis(random(15).into()));
    world.shut_down();
    kept.close();
    late.close();
    world.end();
}

/// Shuts a program down: what was sent before is answered, and what is sent within the drain time. A
/// connection on which nothing comes is closed when that is over.
fn check_drain(world: &mut World, time: Duration) {
    let mut clients: Vec<Client> = (0..4).map(|_| Client::connect(world.listen)).collect();
    for (number, client) in (0..).zip(&mut clients) {
        client.ask(number, Keep::Yes).expect("an answer");
    }
    some_steps(40);
    if random(2) == 0 {
        clients[1].send(&request(101, Keep::Yes)).expect("it is open");
        some_steps(10);
    }
    let is_early = with(|kernel| kernel.served.contains_key(&101)) || random(2) == 0;
    let begin = now();
    world.programs.iter().for_each(|&process| shutdown::request(process));
    let mut silent = clients.remove(0);
    let ask = |(number, mut client): (u32, Client)| {
        spawn(0, move || {
            if number != 101 || is_early {
                sleep(time.mul_f64(f64::from(random(90)) / 100.0));
            }
            client.last_piece = 16;
            if number != 101 {
                client.send_in_pieces(&request(number, Keep::Yes)).expect("it is open");
                client.expect(number).expect("what was sent is served");
            }
            client.wait_for_end();
            client.close();
        })
    };
    let late: Vec<_> = (101..).zip(clients).map(ask).collect();
    silent.wait_for_end();
    assert!(now() >= begin + time, "it was closed after {:?}", now() - begin);
    late.into_iter().for_each(Handle::join);
    world.join();
    let took = now() - begin;
    assert!(took < 2 * time + Duration::from_millis(50), "every thread is back: {took:?}");
    silent.close();
}

const DRAIN: Duration = Duration::from_millis(500);
const DRAINS: &[(&str, &str)] = &[("LIBFCGI_DRAIN", "500")];

fn drain() {
    let mut world = World::new(Plan { settings: DRAINS, checks: checks(), ..Plan::default() });
    event_loops(&mut world, 1 + random(4) as usize);
    check_drain(&mut world, DRAIN);
    world.end();
}

fn drain_beside_threads() {
    let mut world = World::new(Plan { settings: DRAINS, checks: checks(), ..Plan::default() });
    event_loops(&mut world, 1 + random(4) as usize);
    program(&mut world, random(3) as usize, Finish::AsAsked);
    limited(&mut world, random(3) as usize);
    check_drain(&mut world, DRAIN);
    world.end();
}

/// Connections wait to be accepted when shutdown is requested, while the event loop is busy: it was woken for
/// one of them at most.
fn drain_under_load() {
    let mut world = World::new(Plan { checks: checks(), ..Plan::default() });
    world.start(world.programs[0], || Loop::new(Duration::from_millis(3), 1).run());
    let mut first = Client::connect(world.listen);
    first.send(&request(1, Keep::No)).expect("it is open");
    while with(|kernel| !kernel.served.contains_key(&1)) {
        sleep(Duration::from_micros(50));
    }
    let mut more: Vec<Client> = (0..6).map(|_| Client::connect(world.listen)).collect();
    for (number, client) in (10..).zip(&mut more) {
        client.send(&request(number, Keep::No)).expect("it is open");
    }
    shutdown::request(world.programs[0]);
    first.expect(1).expect("an answer");
    world.join();
    let served = with(|kernel| kernel.served.range(10..).count());
    assert!(served <= 1, "{served} requests were accepted after the one to shut down");
    more.into_iter().chain([first]).for_each(Client::close);
    world.end();
}

/// A thread that does not wait any more ends a request after the event loop has looked at all connections.
fn late_end() {
    let mut world = World::new(Plan { settings: DRAINS, checks: checks(), ..Plan::default() });
    let mut client = Client::connect(world.listen);
    client.send(&request(1, Keep::Yes)).expect("it is open");
    world.start(world.programs[0], || {
        let request = accept(Given::Nothing).expect("a request");
        sleep(Duration::from_millis(30));
        // It did not know of the shutdown request when it began to send.
        give_back(request.connection, request.owner).forget();
    });
    sleep(Duration::from_millis(5));
    event_loops(&mut world, 2);
    let mut kept = Client::connect(world.listen);
    kept.ask(2, Keep::Yes).expect("an answer");
    shutdown::request(world.programs[0]);
    let begin = now();
    client.wait_for_end();
    kept.wait_for_end();
    world.join();
    let took = now() - begin;
    assert!(took < DRAIN + Duration::from_millis(50), "every thread is back: {took:?}");
    client.close();
    kept.close();
    world.end();
}

/// Starts threads that wait for a limited time, again and again.
fn limited(world: &mut World, threads: usize) {
    for process in world.programs.clone() {
        for _ in 0..threads {
            world.start(process, serve_limited);
        }
    }
}

fn serve_limited() {
    let mut given = Given::Nothing;
    loop {
        let limit = [0, 3, 30, 1500][random(4) as usize];
        let (begin, limit) = (now(), Duration::from_millis(limit));
        let result = accept_within(std::mem::take(&mut given), Some(limit), None);
        let took = now() - begin;
        // What it receives and answers takes time, too; an event loop may take the processor at first.
        let more = if shutdown::is_requested() { TIME_TO_WAKE } else { Duration::ZERO };
        let most = limit + more + Duration::from_millis(5);
        assert!(took <= most, "{took:?} instead of {limit:?}");
        match result {
            Ok(request) => {
                sleep(WORK);
                given = finish(request, Finish::AsAsked);
            }
            Err(error) if error.raw_os_error() == would_block().raw_os_error() => {
                assert!(took >= limit, "{took:?} instead of {limit:?}");
                sleep(WORK);
            }
            Err(error) => return check_end(&error),
        }
        call(|_, _| ());
    }
}

fn limited_calls() {
    let mut world = World::new(Plan { checks: checks(), ..Plan::default() });
    limited(&mut world, 1 + random(4) as usize);
    program(&mut world, random(3) as usize, Finish::AsAsked);
    let more =
        start_servers(&world, 4..6, |listen| Server { keep: Keep::No, ..Server::new(listen) });
    servers(&world, 4, Server::new);
    more.into_iter().for_each(Handle::join);
    world.shut_down();
    world.end();
}

fn limited_drain() {
    let mut world = World::new(Plan { settings: DRAINS, checks: checks(), ..Plan::default() });
    limited(&mut world, 1 + random(3) as usize);
    program(&mut world, random(2) as usize, Finish::AsAsked);
    check_drain(&mut world, DRAIN);
    world.end();
}
