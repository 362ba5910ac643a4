//! Cancelling the waits of threads in the pool, in reserve and beside their own connections.

use std::sync::Arc;
use std::time::Duration;

use super::{WORK, program, start_servers};
use crate::client::{Client, Keep, Server};
use crate::kernel::checks::Checks;
use crate::kernel::tasks::{Handle, sleep, with};
use crate::os::error::is_cancelled;
use crate::os::shutdown;
use crate::program::{Finish, Given, accept_within, check_end, finish};
use crate::serve::cancel::Cancel;
use crate::world::{Plan, World, now, random, some_steps};
use crate::{Case, Try};

pub const CASES: &[Case] = &[
    ("a_cancelled_wait_ends_at_once_and_only_that", Try::Seeds(8), cancel),
    ("a_wait_is_cancelled_in_a_process_with_one_thread", Try::Seeds(2), alone),
    ("a_wait_is_cancelled_while_the_program_drains", Try::Seeds(4), in_drain),
];

/// The times at which the waits of one thread were cancelled.
type Ends = Arc<std::sync::Mutex<Vec<Duration>>>;

struct Waiter {
    cancel: Arc<Cancel>,
    ends: Ends,
}

impl Waiter {
    fn number_of_ends(&self) -> usize {
        self.ends.lock().expect("no panic").len()
    }
}

/// Starts threads that wait without a limit, each with a request of its own.
fn waiters(world: &mut World, threads: usize, process: usize) -> Vec<Waiter> {
    let start = |_| {
        let waiter = Waiter { cancel: Arc::new(Cancel::new()), ends: Ends::default() };
        let (cancel, ends) = (Arc::clone(&waiter.cancel), Arc::clone(&waiter.ends));
        world.start(process, move || serve_cancelled(&cancel, &ends));
        waiter
    };
    (0..threads).map(start).collect()
}

fn serve_cancelled(cancel: &Cancel, ends: &Ends) {
    let mut given = Given::Nothing;
    loop {
        match accept_within(std::mem::take(&mut given), None, Some(cancel)) {
            Ok(request) => {
                sleep(WORK);
                given = finish(request, Finish::AsAsked);
            }
            Err(error) if is_cancelled(&error) => {
                ends.lock().expect("no panic").push(now());
                sleep(WORK);
            }
            Err(error) => return check_end(&error),
        }
    }
}

/// Cancels from a thread of the process, and waits until that wait has ended. Returns how long it took.
fn cancel_one(world: &mut World, process: usize, waiter: &Waiter) -> Duration {
    let (before, begin) = (waiter.number_of_ends(), now());
    let cancel = Arc::clone(&waiter.cancel);
    world.start(process, move || cancel.cancel());
    while waiter.number_of_ends() == before {
        sleep(Duration::from_micros(200));
        assert!(now() < begin + Duration::from_secs(5), "the wait goes on");
    }
    let end = *waiter.ends.lock().expect("no panic").last().expect("an end");
    end.saturating_sub(begin)
}

fn check_calls(process: usize) {
    let calls = with(|kernel| kernel.processes[process].calls);
    assert_eq!(calls, 0, "a call that no thread answers");
}

/// Threads that sleep in the pool, in reserve, or hold their own connections, with requests all the time.
fn cancel() {
    let checks = Checks { most_unheard: Duration::from_millis(20), ..Checks::default() };
    let mut world = World::new(Plan { checks, ..Plan::default() });
    let process = world.programs[0];
    let waiters = waiters(&mut world, 1 + random(8) as usize, process);
    program(&mut world, random(3) as usize, Finish::AsAsked);
    let busy = start_servers(&world, 0..3, Server::new);
    let mut cancelled = 0;
    for _ in 0..8 {
        let waiter = &waiters[random(waiters.len() as u32) as usize];
        if random(3) == 0 {
            sleep(Duration::from_millis(random(40).into()));
        } else {
            some_steps(30);
        }
        let took = cancel_one(&mut world, process, waiter);
        assert!(took < Duration::from_millis(8), "a wait ended {took:?} after it was cancelled");
        cancelled += 1;
    }
    busy.into_iter().for_each(Handle::join);
    sleep(Duration::from_millis(50));
    let ends: usize = waiters.iter().map(Waiter::number_of_ends).sum();
    assert_eq!(ends, cancelled, "a wait ended that was not cancelled");
    check_calls(process);
    let last = |listen| Server { keep: Keep::No, requests: 1, ..Server::new(listen) };
    start_servers(&world, 10..12, last).into_iter().for_each(Handle::join);
    world.shut_down();
    world.end();
}

/// Every request waits until the one before is answered.
fn alone() {
    let mut world = World::new(Plan::default());
    let process = world.programs[0];
    let waiters = waiters(&mut world, 1, process);
    let mut client = Client::connect(world.listen);
    for number in 0..6 {
        client.ask(number, Keep::Yes).expect("an answer");
        let took = cancel_one(&mut world, process, &waiters[0]);
        assert!(took < Duration::from_millis(8), "a wait ended {took:?} after it was cancelled");
    }
    client.close();
    check_calls(process);
    world.shut_down();
    world.end();
}

/// A drain of 2 s, in which a web server keeps its connections open.
fn in_drain() {
    let settings = &[("LIBFCGI_DRAIN", "2000")];
    let mut world = World::new(Plan { settings, ..Plan::default() });
    let process = world.programs[0];
    let waiters = waiters(&mut world, 1 + random(3) as usize, process);
    let mut clients: Vec<Client> = (0..3).map(|_| Client::connect(world.listen)).collect();
    for (number, client) in (0..).zip(&mut clients) {
        client.patience = Duration::from_secs(60);
        client.ask(number, Keep::Yes).expect("an answer");
    }
    shutdown::request(process);
    sleep(Duration::from_millis(random(100).into()));
    for waiter in &waiters {
        let took = cancel_one(&mut world, process, waiter);
        assert!(took < Duration::from_millis(50), "a wait ended {took:?} after it was cancelled");
    }
    clients.iter_mut().for_each(Client::wait_for_end);
    clients.into_iter().for_each(Client::close);
    world.join();
    check_calls(process);
    world.end();
}
