//! Processes of one thread that share a listen socket: each new connection goes to an idle one.

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

/// A delay long enough for every other client to reach its process meanwhile.
const SLOW: &str = "10";

/// Starts processes and waits until they wait. Each has had a kept connection before, so that all
/// wait in the same way.
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

/// Returns how many sockets a process has open, without the two of the wake-up, which exist once
/// epoll does.
pub(super) fn sockets(process: u32) -> usize {
    let entries = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let what = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let what: Vec<_> = what.map(|what| what.display().to_string()).collect();
    let count = |kind| what.iter().filter(|what| what.starts_with(kind)).count();
    count("socket:").saturating_sub(2 * count("anon_inode:[eventpoll]"))
}

/// Returns a kept connection and the process that serves it, once that process waits again.
fn opened(worker: &Worker) -> (Connection, u32) {
    let mut connection = worker.connect();
    let process = who(&mut connection);
    until_asleep(process);
    (connection, process)
}

/// Sends a slow request on a kept connection, and returns which process served it.
fn who(connection: &mut Connection) -> u32 {
    let start = Instant::now();
    connection.send(&request(1, true, &[("WHO", ""), ("SLEEP", SLOW)], b""));
    output(connection, 1, start).parse().unwrap()
}

/// Opens connections one after the other while all processes wait, and closes them at the end of
/// the round. Returns the number of processes that served them in each round.
fn used(worker: &Worker, connections: usize) -> Vec<usize> {
    let round = |_| {
        let mut kept: Vec<Connection> = Vec::new();
        let mut seen = BTreeSet::new();
        for _ in 0..connections {
            let (one, process) = opened(worker);
            seen.insert(process);
            kept.push(one);
        }
        // From now on each connection belongs to its process, and all are served at the same time.
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

/// Kept connections end one after the other, and each is replaced by a new one. Only the process
/// that lost its connection is idle then, because the others have just served requests.
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

/// When memory or the user's epoll watches run out, the listen socket cannot be registered again
/// after it was taken out. New connections are served all the same, beside a client that is always
/// busy.
#[test]
fn a_listen_socket_that_cannot_be_registered_again_is_looked_at() {
    let _turn = beside_others();
    need("strace", "/usr/bin/strace");
    let strace = ["strace", "-f", "-qq", "-o", "trace", "-e", "trace=epoll_ctl"];
    // The first calls register the wake-up (twice), the kept connection and the listen socket, and
    // then take the listen socket out. The next call fails, or all further calls do.
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
        // With nothing else to do, the program still answers in time.
        answered(worker.connect(), "the last one");
        signal(program, libc::SIGTERM);
        assert!(worker.running.wait(PATIENCE).is_some());
        let trace = fs::read_to_string(worker.path("trace")).unwrap();
        let refused = |line: &str| line.contains("EPOLL_CTL_ADD, 0,") && line.contains("INJECTED");
        assert!(trace.lines().any(refused), "{trace}");
    }
}
