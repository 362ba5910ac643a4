//! Processes of one thread that share a listen socket: each connection finds one that is idle.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::thread;
use std::time::Instant;

use super::{AT_MOST, answered, output};
use testkit::turns::beside_others;
use testkit::wire::{Connection, request};
use testkit::{Library, Listen, PATIENCE, Worker, need, signal, until, until_asleep};

const PROCESSES: usize = 8;
const ROUNDS: usize = 10;

/// Long enough for every other client to find its process meanwhile.
const SLOW: &str = "10";

/// Processes that wait. Each has had a kept connection before, so that all wait in the same way.
pub(super) fn prefork(library: Library, listen: Listen, processes: usize) -> Worker {
    let worker = Worker::start(library, listen, &["-p", &processes.to_string()]);
    let all = worker.children(processes);
    all.iter().copied().for_each(until_asleep);
    let kept: Vec<Connection> = (0..processes).map(|_| opened(&worker).0).collect();
    drop(kept);
    until("the connections' end", PATIENCE, || {
        all.iter().all(|one| sockets(*one) == 1).then_some(())
    });
    all.into_iter().for_each(until_asleep);
    worker
}

/// How many sockets a process has open, but for the two of the wake-up: they come with epoll.
pub(super) fn sockets(process: u32) -> usize {
    let entries = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let what = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let what: Vec<_> = what.map(|what| what.display().to_string()).collect();
    let count = |kind| what.iter().filter(|what| what.starts_with(kind)).count();
    count("socket:").saturating_sub(2 * count("anon_inode:[eventpoll]"))
}

/// A kept connection, and the process that has it and waits again.
fn opened(worker: &Worker) -> (Connection, u32) {
    let mut connection = worker.connect();
    let process = who(&mut connection);
    until_asleep(process);
    (connection, process)
}

/// A slow request on a kept connection; who has served it.
fn who(connection: &mut Connection) -> u32 {
    let start = Instant::now();
    connection.send(&request(1, true, &[("WHO", ""), ("SLEEP", SLOW)], b""));
    output(connection, 1, start).parse().unwrap()
}

/// How many processes serve connections that are opened one after the other, all processes waiting, in
/// each round. A round's connections are closed at its end.
fn used(worker: &Worker, connections: usize) -> Vec<usize> {
    let round = |_| {
        let mut kept: Vec<Connection> = Vec::new();
        let mut seen = BTreeSet::new();
        for _ in 0..connections {
            let (one, process) = opened(worker);
            seen.insert(process);
            kept.push(one);
        }
        // They belong to them from now on, and are served at the same time.
        let again = thread::scope(|scope| {
            let each: Vec<_> = kept.iter_mut().map(|one| scope.spawn(|| who(one))).collect();
            each.into_iter().map(|one| one.join().unwrap()).collect::<BTreeSet<u32>>()
        });
        assert_eq!(again, seen);
        seen.len()
    };
    (0..ROUNDS).map(round).collect()
}

#[test]
fn kept_connections_opened_while_all_are_idle_have_a_process_each() {
    let _turn = beside_others();
    for listen in [Listen::Unix, Listen::Tcp] {
        for library in [Library::Original, Library::Ours] {
            for connections in [PROCESSES, PROCESSES / 2] {
                let worker = prefork(library, listen, PROCESSES);
                let used = used(&worker, connections);
                assert_eq!(used, [connections; ROUNDS], "{library:?}, {listen:?}");
            }
        }
    }
}

/// One kept connection ends after the other, and another one is opened. Only the process that has lost
/// its own is idle meanwhile: the others have had requests since.
#[test]
fn a_connection_that_replaces_another_goes_to_the_process_that_has_none() {
    let _turn = beside_others();
    for (library, listen) in [
        (Library::Original, Listen::Unix),
        (Library::Ours, Listen::Unix),
        (Library::Ours, Listen::Tcp),
    ] {
        let worker = prefork(library, listen, PROCESSES);
        let mut kept: VecDeque<(Connection, u32)> =
            (0..PROCESSES).map(|_| opened(&worker)).collect();
        for round in 0..2 * PROCESSES {
            let (ended, idle) = kept.pop_front().unwrap();
            drop(ended);
            until("its end", PATIENCE, || (sockets(idle) == 1).then_some(()));
            until_asleep(idle);
            for (connection, process) in &mut kept {
                assert_eq!(who(connection), *process);
                until_asleep(*process);
            }
            let new = opened(&worker);
            assert_eq!(new.1, idle, "{library:?}, {listen:?}, round {round}");
            kept.push_back(new);
        }
    }
}

/// Out of memory, or of what a user may have watched, the listen socket cannot be registered anew once
/// it was taken out: new connections are served all the same, beside a client that is always busy.
#[test]
fn a_listen_socket_that_cannot_be_registered_again_is_looked_at() {
    let _turn = beside_others();
    need("strace", "/usr/bin/strace");
    let strace = ["strace", "-f", "-qq", "-o", "trace", "-e", "trace=epoll_ctl"];
    // The first ones are for the wake-up (twice), the kept connection and the listen socket, which then is
    // taken out. The one behind them fails, or all do.
    for (fails, error) in [("6", "ENOSPC"), ("6+", "ENOMEM")] {
        let inject = format!("inject=epoll_ctl:error={error}:when={fails}");
        let around = [&strace[..], &["-e", &inject]].concat();
        let mut worker = Worker::start_in(&around, Library::Ours, Listen::Unix, &[]);
        let (mut kept, program) = opened(&worker);
        let end = Instant::now() + AT_MOST;
        thread::scope(|scope| {
            scope.spawn(|| {
                while Instant::now() < end {
                    who(&mut kept);
                }
            });
            while Instant::now() < end {
                answered(worker.connect(), "a new one");
            }
        });
        // With nothing else to do it need not take long, either.
        answered(worker.connect(), "the last one");
        signal(program, libc::SIGTERM);
        assert!(worker.running.wait(PATIENCE).is_some());
        let trace = fs::read_to_string(worker.path("trace")).unwrap();
        let refused = |line: &str| line.contains("EPOLL_CTL_ADD, 0,") && line.contains("INJECTED");
        assert!(trace.lines().any(refused), "{trace}");
    }
}
