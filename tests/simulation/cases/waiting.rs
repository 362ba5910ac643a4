//! How long connections and threads wait, in virtual time: hours, and thousands of connections.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{WORK, program};
use crate::client::{Client, Keep, Server, question, request};
use crate::kernel::checks::Checks;
use crate::kernel::files::Kind;
use crate::kernel::stream::Listen;
use crate::kernel::tasks::{Handle, call, sleep, spawn, with};
use crate::os::socket::Peer;
use crate::program::{Finish, Given, accept, finish, serve};
use crate::world::{LISTEN_FD, Plan, World, now, random, some_steps};
use crate::{Case, Try};

pub const CASES: &[Case] = &[
    ("a_connection_without_a_request_keeps_its_limit", Try::Seeds(1), silence),
    ("a_connection_without_a_limit_stays", Try::Once, no_limit),
    ("the_head_of_a_request_has_its_limit", Try::Once, slow_head),
    ("kept_connections_stay_for_hours_and_lost_events_are_made_up_for", Try::Once, hours),
    ("idle_threads_wake_once_a_second_and_later_once_in_half_a_minute", Try::Once, idle_threads),
    ("those_without_a_request_go_first", Try::Seeds(2), silent_ones_go_first),
    ("out_of_descriptors_those_without_a_request_go_first", Try::Seeds(2), short_of_descriptors),
    ("a_process_of_one_thread_lets_the_grace_pass", Try::Seeds(4), grace),
    ("16000_silent_connections_end_together", Try::Once, thousands),
    ("idle_processes_get_the_new_connections", Try::Seeds(1), idle_processes),
    ("kept_connections_hold_no_thread_that_others_need", Try::Seeds(4), held_threads),
];

const SECOND: Duration = Duration::from_secs(1);

/// A connection stays open where the timeouts are set to 0.
fn no_limit() {
    let settings = &[("LIBFCGI_FIRST_BYTE_TIMEOUT", "0"), ("LIBFCGI_HEAD_TIMEOUT", "0")];
    let checks = Checks { patience: None, ..Checks::default() };
    let peer = Peer::V4([127, 0, 0, 1].into());
    let mut world = World::new(Plan { peer, settings, checks, ..Plan::default() });
    program(&mut world, 2, Finish::AsAsked);
    let (mut client, bytes) = (Client::connect(world.listen), request(1, Keep::No));
    for piece in bytes.chunks(30) {
        sleep(SECOND * 3600);
        client.send(piece).expect("it stays");
    }
    client.expect(1).expect("an answer");
    client.close();
    world.shut_down();
    world.end();
}

/// A connection without a request is closed at its limit, whatever management records it sends.
fn silence() {
    for (peer, limit) in [(Peer::Unix, 2), (Peer::V4([127, 0, 0, 1].into()), 60)] {
        let limit = SECOND * limit;
        let checks = Checks { patience: Some(limit), ..Checks::default() };
        let mut world = World::new(Plan { peer, checks, ..Plan::default() });
        program(&mut world, 1 + random(2) as usize, Finish::AsAsked);
        let mut client = Client::connect(world.listen);
        let begin = now();
        client.patience = 2 * limit;
        loop {
            sleep(limit / 7);
            if client.send(&question()).is_err() || client.receive_value().is_err() {
                break;
            }
        }
        let lived = now() - begin;
        assert!(lived > limit - limit / 6 && lived < limit + limit / 6, "{lived:?}");
        client.close();
        world.shut_down();
        world.end();
    }
}

/// The limit runs from the first byte of the head to its last, also on a keep-alive connection.
fn slow_head() {
    let checks = Checks { patience: None, ..Checks::default() };
    let mut world = World::new(Plan { checks, ..Plan::default() });
    program(&mut world, 1 + random(2) as usize, Finish::AsAsked);
    for is_kept in [false, true] {
        let mut client = Client::connect(world.listen);
        client.patience = SECOND * 70;
        if is_kept {
            client.ask(1, Keep::Yes).expect("an answer");
            sleep(SECOND * 3600);
        }
        let (begin, bytes) = (now(), request(2, Keep::Yes));
        for byte in bytes.chunks(1) {
            if client.send(byte).is_err() {
                break;
            }
            sleep(SECOND * 3);
        }
        client.wait_for_end();
        let lived = now() - begin;
        assert!(lived >= SECOND * 60 && lived < SECOND * 64, "{lived:?}");
        client.close();
        with(|kernel| kernel.served.clear());
    }
    world.shut_down();
    world.end();
}

/// The program closes its listen socket and opens a new one with the same number: the kernel drops the
/// registration.
fn hours() {
    let checks = Checks { is_lossless: false, ..Checks::default() };
    let mut world = World::new(Plan { checks, ..Plan::default() });
    program(&mut world, 2, Finish::AsAsked);
    let process = world.programs[0];
    let mut kept = Client::connect(world.listen);
    kept.ask(0, Keep::Yes).expect("an answer");
    let mut listen = world.listen;
    for number in 1..4_u32 {
        sleep(SECOND * 3600 + Duration::from_millis(370 * u64::from(number)));
        listen = with(|kernel| {
            let new =
                kernel.new_file(Kind::Listen(Listen { backlog: [].into(), peer: Peer::Unix }));
            kernel.files[new].descriptors = 1;
            kernel.processes[process].table[LISTEN_FD as usize] = Some(new);
            kernel.release(listen);
            new
        });
        let mut client = Client::connect(listen);
        client.patience = SECOND * 100;
        let begin = now();
        client.ask(10 * number, Keep::No).expect("an answer");
        // Until now two threads in turn looked at the socket only once in half a minute.
        assert!(now() <= begin + SECOND * 60 + Duration::from_millis(20), "{:?}", now() - begin);
        client.close();
        let begin = now();
        kept.ask(10 * number + 1, Keep::Yes).expect("it has stayed");
        let mut client = Client::connect(listen);
        client.ask(10 * number + 2, Keep::No).expect("an answer");
        client.close();
        assert!(now() < begin + Duration::from_millis(20), "it is watched again");
    }
    kept.close();
    world.shut_down();
    world.end();
}

/// Counts the wake-ups of all idle threads together.
fn idle_threads() {
    for threads in [2, 64] {
        let mut world = World::new(Plan::default());
        program(&mut world, threads, Finish::AsAsked);
        let process = world.programs[0];
        let waits = || with(|kernel| kernel.processes[process].waits);
        let count = |seconds| {
            let before = waits();
            sleep(SECOND * seconds);
            waits() - before
        };
        let mut kept = Client::connect(world.listen);
        for number in 0..2 {
            kept.ask(number, Keep::Yes).expect("an answer");
            // The reserve threads wait in the pool now.
            sleep(SECOND * 7);
            let lately = count(20);
            assert!((10..=21).contains(&lately), "{threads} threads wake {lately} times in 20 s");
            // The longest waits that began earlier end in this time.
            sleep(SECOND * 4 * threads as u32);
            let later = count(3600);
            assert!((60..=122).contains(&later), "{threads} threads wake {later} times an hour");
        }
        kept.close();
        with(|kernel| kernel.served.clear());
        world.shut_down();
        world.end();
    }
}

/// At the limit on waiting connections the silent ones go, and keep-alive connections stay.
fn silent_ones_go_first() {
    let checks = Checks { most_parked: 4, ..Checks::default() };
    let settings = &[("LIBFCGI_MAX_WAITING", "4")];
    let mut world = World::new(Plan { settings, checks, ..Plan::default() });
    program(&mut world, 1 + random(3) as usize, Finish::AsAsked);
    crowd(&world);
    world.shut_down();
    world.end();
}

fn short_of_descriptors() {
    // There is room for six connections; the other seven descriptors are in use.
    let checks = Checks { is_lossless: false, most_parked: 10, ..Checks::default() };
    let mut world = World::new(Plan { descriptors: 13, checks, ..Plan::default() });
    program(&mut world, 1 + random(3) as usize, Finish::AsAsked);
    crowd(&world);
    world.shut_down();
    world.end();
}

/// Returns keep-alive connections, each of which has had a request.
fn kept_clients(world: &World, count: u32) -> Vec<Client> {
    let kept = |number| {
        let mut client = Client::connect(world.listen);
        client.ask(number, Keep::Yes).expect("an answer");
        client
    };
    (0..count).map(kept).collect()
}

/// Opens three keep-alive connections, a crowd of silent ones, and one more that sends a request.
fn crowd(world: &World) {
    let mut kept = kept_clients(world, 3);
    let silent: Vec<Client> = (0..20)
        .map(|_| {
            some_steps(10);
            Client::connect(world.listen)
        })
        .collect();
    // The new connection with a request stands behind the silent ones.
    let begin = now();
    let new = Server { keep: Keep::No, requests: 1, may_lose: true, ..Server::new(world.listen) };
    new.run(50);
    assert!(now() < begin + SECOND, "no room is made for {:?}", now() - begin);
    for round in 1..4 {
        for (number, client) in (0..).zip(&mut kept) {
            client.ask(100 * round + number, Keep::Yes).expect("a kept connection stays");
        }
        sleep(Duration::from_millis(300));
    }
    kept.into_iter().chain(silent).for_each(Client::close);
}

/// Web servers that connect first and send a little later, next to silent ones.
fn grace() {
    let checks = Checks { grace: Duration::from_millis(19), ..Checks::default() };
    let mut world = World::new(Plan { processes: 2, checks, ..Plan::default() });
    program(&mut world, 1, Finish::AsAsked);
    let listen = world.listen;
    let late = |number: u32| {
        spawn(0, move || {
            for number in 10 * number..10 * number + 3 {
                let mut client = Client::connect(listen);
                sleep(Duration::from_millis(random(15).into()));
                client.ask(number, Keep::No).expect("an answer");
                client.close();
            }
        })
    };
    let silent = spawn(0, move || {
        let clients: Vec<_> = (0..2).map(|_| Client::connect(listen)).collect();
        sleep(SECOND);
        clients.into_iter().for_each(Client::close);
    });
    (0..3).map(late).chain([silent]).for_each(|thread| thread.join());
    world.shut_down();
    world.end();
}

/// The silent connections pass their limit while one request is being served.
fn thousands() {
    const MANY: usize = 16_000;
    let settings = &[("LIBFCGI_MAX_WAITING", "0")];
    let mut world = World::new(Plan { settings, descriptors: 2 * MANY, ..Plan::default() });
    world.start(world.programs[0], || {
        let mut given = Given::Nothing;
        while let Some(request) = accept(given) {
            sleep(if request.number == 1 { SECOND * 5 } else { WORK });
            given = finish(request, Finish::AsAsked);
        }
    });
    let mut kept = Client::connect(world.listen);
    kept.patience = SECOND * 10;
    kept.ask(0, Keep::Yes).expect("an answer");
    let silent: Vec<Client> = (0..MANY).map(|_| Client::connect(world.listen)).collect();
    sleep(Duration::from_millis(500));
    let open =
        |kernel: &mut crate::kernel::Kernel| kernel.processes[1].table.iter().flatten().count();
    assert!(with(open) > MANY, "all are accepted");
    kept.ask(1, Keep::Yes).expect("an answer");
    let (mut number, mut longest) = (2, Duration::ZERO);
    while with(open) > 10 {
        let begin = now();
        kept.ask(number, Keep::Yes).expect("an answer");
        longest = longest.max(now() - begin);
        number += 1;
    }
    assert!(number > 100, "they do not end one after the other");
    assert!(longest < Duration::from_millis(10), "{longest:?}");
    kept.close();
    silent.into_iter().for_each(Client::close);
    world.shut_down();
    world.end();
}

/// As many keep-alive connections as threads, or more, each of which has just been answered.
fn held_threads() {
    let mut world = World::new(Plan::default());
    let threads = 1 + random(4) as usize;
    program(&mut world, threads, Finish::AsAsked);
    let mut kept = kept_clients(&world, 5);
    for round in 1..6 {
        for (number, client) in (0..).zip(&mut kept) {
            if random(2) == 0 {
                let begin = now();
                client.ask(100 * round + number, Keep::Yes).expect("an answer");
                check_wait(begin);
            }
        }
        let begin = call(|kernel, _| kernel.now);
        let client = &mut Client::connect(world.listen);
        client.send(&request(100 * round + 50, Keep::No)).expect("it is open");
        client.expect(100 * round + 50).expect("an answer");
        check_wait(begin);
    }
    kept.into_iter().for_each(Client::close);
    world.shut_down();
    world.end();
}

/// Checks that a request that took at most 6 ms to send was answered within another 5 ms.
fn check_wait(begin: Duration) {
    let wait = now() - begin;
    assert!(wait < Duration::from_millis(11), "a request has waited for {wait:?}");
}

/// As many connections as processes, opened one after the other while all are idle: each process gets
/// one.
fn idle_processes() {
    const PROCESSES: u32 = 4;
    let mut world = World::new(Plan { processes: PROCESSES as usize, ..Plan::default() });
    for &process in &world.programs.clone() {
        world.start(process, || serve(Duration::from_millis(10), Finish::AsAsked));
    }
    for round in 0..3 {
        let first = 1000 * round;
        let open = |number| {
            // All processes wait now.
            sleep(Duration::from_millis(20));
            let mut client = Client::connect(world.listen);
            client.ask(first + number, Keep::Yes).expect("an answer");
            client
        };
        let clients: Vec<Client> = (0..PROCESSES).map(open).collect();
        let ask = |(number, mut client): (u32, Client)| {
            spawn(0, move || {
                for more in 1..5 {
                    client.ask(first + 10 * more + number, Keep::Yes).expect("an answer");
                }
                client.close();
            })
        };
        let asking: Vec<_> = (0..).zip(clients).map(ask).collect();
        asking.into_iter().for_each(Handle::join);
        let servers =
            with(|kernel| kernel.servers.range(first..first + 4).map(|(_, s)| *s).collect());
        let servers: BTreeSet<usize> = servers;
        assert!(round == 0 || servers.len() == 4, "round {round}: processes {servers:?} only");
    }
    world.shut_down();
    world.end();
}
