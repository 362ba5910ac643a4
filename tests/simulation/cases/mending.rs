//! The program closes numbers that belong to the library, or puts something else there, while threads
//! wait.

use std::os::fd::RawFd;
use std::time::Duration;

use super::{program, servers};
use crate::client::{Client, Keep, Server};
use crate::kernel::Kernel;
use crate::kernel::checks::Checks;
use crate::kernel::files::Kind;
use crate::kernel::tasks::{call, sleep, spawn};
use crate::program::Finish;
use crate::world::{Plan, World, now, random, some_steps};
use crate::{Case, Try};

pub const CASES: &[Case] = &[
    ("the_program_closes_the_epoll_instance", Try::Seeds(8), || mended(&[epoll])),
    ("the_program_closes_one_end_of_the_wake_up", Try::Seeds(2), || mended(&[reader])),
    ("the_program_closes_the_other_end_of_the_wake_up", Try::Seeds(2), || mended(&[writer])),
    ("the_program_closes_all_that_is_the_librarys", Try::Seeds(4), || {
        mended(&[epoll, reader, writer])
    }),
    ("the_program_closes_a_parked_connection", Try::Seeds(4), parked),
];

/// A descriptor that the library owns in the program's process 1.
type Which = fn(&Kernel) -> Option<RawFd>;

fn epoll(kernel: &Kernel) -> Option<RawFd> {
    let is_epoll = |file: &Option<usize>| {
        file.is_some_and(|file| matches!(kernel.files[file].kind, Kind::Epoll(_)))
    };
    kernel.processes[1].table.iter().position(is_epoll).map(|fd| fd as RawFd)
}

fn reader(kernel: &Kernel) -> Option<RawFd> {
    kernel.own_reader(1)
}

fn writer(kernel: &Kernel) -> Option<RawFd> {
    kernel.own_writer(1)
}

/// Closes all the numbers in one step, as close_range does, or puts something else there.
fn close(which: &[Which]) {
    let replaces = random(2) == 0;
    call(|kernel, _| {
        for which in which {
            let Some(fd) = which(kernel) else { continue };
            let new = replaces.then(|| kernel.new_file(Kind::Nothing));
            kernel.replace(1, fd, new);
        }
    });
}

/// No request is lost, and after little more than a second everything works as before.
fn mended(which: &'static [Which]) {
    let checks = Checks { is_lossless: false, ..Checks::default() };
    let mut world = World::new(Plan { checks, ..Plan::default() });
    let threads = 1 + random(4);
    program(&mut world, threads as usize, Finish::AsAsked);
    let mut kept = Client::connect(world.listen);
    kept.ask(1000, Keep::Yes).expect("an answer");
    let closing = spawn(0, move || {
        for _ in 0..6 {
            some_steps(80);
            close(which);
            // If a descriptor is lost again immediately, a thread may wait for one connection alone,
            // and only briefly.
            sleep(Duration::from_millis(1));
            if random(6) == 0 {
                sleep(Duration::from_millis(random(1500).into()));
            }
        }
    });
    servers(&world, 3, |listen| Server { requests: 12, pause: 500, ..Server::new(listen) });
    closing.join();
    sleep(Duration::from_millis(1100));
    let begin = now();
    kept.ask(1001, Keep::Yes).expect("it has stayed");
    let mut new = Client::connect(world.listen);
    new.ask(1002, Keep::No).expect("an answer");
    assert!(now() < begin + Duration::from_millis(30), "it is not watched: {:?}", now() - begin);
    kept.close();
    new.close();
    let begin = now();
    world.shut_down();
    // Threads that wait in a lost instance notice nothing until their waits are over.
    let longest = Duration::from_millis(2000 * u64::from(threads) + 100);
    assert!(now() < begin + longest, "threads are not woken");
    world.end();
}

/// One of the connections that are idle at that moment is lost, and no other, whatever its number is.
fn parked() {
    let checks = Checks { is_lossless: false, ..Checks::default() };
    let mut world = World::new(Plan { checks, ..Plan::default() });
    program(&mut world, 1 + random(3) as usize, Finish::AsAsked);
    let mut kept: Vec<Client> = (0..3).map(|_| Client::connect(world.listen)).collect();
    for round in 0..3 {
        for (number, client) in (1000 + 10 * round..).zip(&mut kept) {
            client.ask(number, Keep::Yes).expect("it has stayed");
        }
        // No thread holds one any more; a holder would not see that the number is another file's.
        sleep(Duration::from_millis(20));
        close(&[|kernel| {
            let table = &kernel.processes[1].table;
            let is_parked = |file: usize| kernel.life(file).is_some_and(|life| life.is_free());
            table.iter().position(|file| file.is_some_and(is_parked)).map(|fd| fd as RawFd)
        }]);
        // The new connections may get the closed one's number.
        servers(&world, 2, |listen| Server { requests: 1, keep: Keep::No, ..Server::new(listen) });
        call(|kernel, _| kernel.served.clear());
        kept.rotate_left(1);
        let lost = kept.iter().position(Client::has_ended).expect("it is closed");
        kept.remove(lost).close();
        if random(2) == 0 {
            sleep(Duration::from_secs(2));
        }
    }
    kept.into_iter().for_each(Client::close);
    world.shut_down();
    world.end();
}
