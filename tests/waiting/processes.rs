//! Processes that share a listen socket, and the flags of that socket.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{AT_MOST, IN_VAIN, answered, echo, is_answered_within, output, text};
use testkit::turns::{alone, beside_others};
use testkit::wire::{Connection, request};
use testkit::{
    Library, Listen, PATIENCE, Worker, children_of, need, signal, state, until, until_asleep,
    until_in,
};

const EAGAIN: i32 = -libc::EAGAIN;
const EINTR: i32 = -libc::EINTR;

/// Asks on a kept connection which process serves it.
fn who(connection: &mut Connection) -> u32 {
    let start = Instant::now();
    connection.send(&request(1, true, &[("WHO", "")], b""));
    output(connection, 1, start).parse().unwrap()
}

/// Returns the flags of a descriptor and of the open file behind it, such as O_CLOEXEC and
/// O_NONBLOCK.
pub(super) fn flags(process: u32, fd: u32) -> i32 {
    let info = fs::read_to_string(format!("/proc/{process}/fdinfo/{fd}")).unwrap();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
    i32::from_str_radix(flags.trim(), 8).unwrap()
}

/// Returns whether the open file behind descriptor 0 of a process is non-blocking.
fn is_nonblocking(process: u32) -> bool {
    flags(process, 0) & libc::O_NONBLOCK != 0
}

/// Returns what each open descriptor of a process stands for, and its flags.
fn descriptors(process: u32) -> BTreeMap<u32, (PathBuf, i32)> {
    let entries = fs::read_dir(format!("/proc/{process}/fd")).unwrap().map(Result::unwrap);
    let descriptors = entries.map(|entry| {
        let fd = entry.file_name().to_str().unwrap().parse().unwrap();
        (fd, (fs::read_link(entry.path()).unwrap(), flags(process, fd)))
    });
    descriptors.collect()
}

/// Returns the descriptor of the listen socket in a process that has no other socket yet.
fn listen_socket(process: u32) -> u32 {
    let all = descriptors(process);
    let socket = all.iter().find(|(_, (what, _))| is_socket(what));
    *socket.expect("a listen socket").0
}

/// Waits until a process with one thread waits for a connection. Under ThreadSanitizer, which adds
/// a thread, the process waits in epoll.
pub(super) fn until_accepting(process: u32) {
    // i386 has only accept4.
    #[cfg(not(target_arch = "x86"))]
    until_in(process, &[libc::SYS_accept4, libc::SYS_accept, libc::SYS_epoll_wait]);
    #[cfg(target_arch = "x86")]
    until_in(process, &[libc::SYS_accept4, libc::SYS_epoll_wait]);
}

#[test]
fn the_plain_case_leaves_the_flags_alone() {
    let _turn = beside_others();
    let worker = Worker::ours(&[]);
    for _ in 0..20 {
        answered(worker.connect(), "body");
    }
    assert!(!is_nonblocking(worker.running.pid()));
}

#[test]
fn a_child_serves_new_connections_and_none_of_its_parents() {
    let _turn = beside_others();
    for listen in [Listen::Unix, Listen::Tcp] {
        for ending in [libc::SIGTERM, libc::SIGKILL] {
            let worker = Worker::start(Library::Ours, listen, &[]);
            let parent = worker.running.pid();
            let mut kept: Vec<Connection> = (0..4).map(|_| worker.connect()).collect();
            for kept in &mut kept {
                assert_eq!(who(kept), parent);
            }
            let child: u32 = worker.ask(&[("FORK", "")]).parse().unwrap();
            let mut seen = BTreeSet::new();
            until("an answer of either process", PATIENCE, || {
                seen.insert(worker.ask(&[("WHO", ""), ("SLEEP", "5")]).parse::<u32>().unwrap());
                for kept in &mut kept {
                    assert_eq!(who(kept), parent);
                }
                // The two requests overlap, so the child has to serve one of them.
                let mut pair = [worker.connect(), worker.connect()];
                for one in &mut pair {
                    one.send(&request(1, false, &[("WHO", ""), ("SLEEP", "20")], b""));
                }
                seen.extend(
                    pair.iter_mut().map(|one| text(&one.until_closed()).parse::<u32>().unwrap()),
                );
                (seen.len() == 2).then_some(())
            });
            assert_eq!(seen, BTreeSet::from([parent, child]));
            worker.signal(ending);
            for kept in &mut kept {
                assert_eq!(kept.until_closed(), []);
            }
            assert_eq!(worker.ask(&[("WHO", "")]), child.to_string());
        }
    }
}

#[test]
fn a_process_that_shuts_down_leaves_its_siblings_flag_alone() {
    let _turn = beside_others();
    let worker = Worker::ours(&["-p", "2"]);
    let processes = worker.children(2);
    for process in &processes {
        until_asleep(*process);
    }
    // One process starts to wait for several connections, which needs a non-blocking socket.
    let mut kept = worker.connect();
    let pooled = who(&mut kept);
    who(&mut kept);
    until("a socket that does not block", PATIENCE, || is_nonblocking(pooled).then_some(()));
    let plain = *processes.iter().find(|process| **process != pooled).unwrap();
    until_asleep(plain);
    signal(plain, libc::SIGTERM);
    until("the sibling's end", PATIENCE, || (!worker.results().is_empty()).then_some(()));
    assert!(is_nonblocking(pooled), "the process that waits for several could block in accept4");
}

/// Sends the program and its children a shutdown request in one call. Their handler has SA_RESTART.
fn tell_all(worker: &Worker) {
    let group = -(worker.running.pid() as libc::pid_t);
    // SAFETY: no pointer is passed; the process group belongs to the test.
    assert_eq!(unsafe { libc::kill(group, libc::SIGUSR2) }, 0);
}

/// The processes share the listen socket, but each has its own shutdown request: none may consume
/// what ends another's wait.
#[test]
fn processes_that_shut_down_at_the_same_moment_all_end() {
    let _turn = beside_others();
    let told = |library, listen| {
        let worker = Worker::start(library, listen, &["-s", "-p", "8"]);
        worker.children(8).into_iter().for_each(until_accepting);
        tell_all(&worker);
        worker
    };
    for listen in [Listen::Unix, Listen::Own] {
        for round in 0..15 {
            let mut worker = told(Library::Ours, listen);
            let status = worker.running.wait(PATIENCE);
            let status = status.unwrap_or_else(|| panic!("a process goes on, {listen:?}, {round}"));
            assert_eq!(status.code(), Some(0));
            assert_eq!(worker.results(), [EINTR; 8]);
        }
    }
    let mut worker = told(Library::Original, Listen::Unix);
    assert!(worker.running.wait(IN_VAIN).is_none(), "the original does it right");
}

/// Afterwards the program may use the socket, close it or pass it on as if nothing had happened.
#[test]
fn the_listen_socket_is_as_before_when_a_process_was_told_to_shut_down() {
    let _turn = beside_others();
    let is_as_before = |library, listen, options: &[&str], number| {
        let worker = Worker::start(library, listen, &[&["-l"], options].concat());
        let process = worker.running.pid();
        until_accepting(process);
        let before = descriptors(process);
        assert!(before.values().any(|(what, _)| is_socket(what)), "{before:?}");
        worker.signal(number);
        until("the end of Accept", PATIENCE, || (worker.results() == [EINTR]).then_some(()));
        assert_eq!(descriptors(process), before, "{library:?}, {listen:?}, {options:?}");
    };
    for listen in [Listen::Unix, Listen::Tcp, Listen::Own] {
        for options in [&[][..], &["-c"]] {
            for library in Library::BOTH {
                is_as_before(library, listen, options, libc::SIGTERM);
            }
            // The original would go on waiting in accept here.
            is_as_before(Library::Ours, listen, &[options, &["-s"]].concat(), libc::SIGUSR2);
        }
    }
}

/// A handler that requests a shutdown may close the listen socket and reuse its number.
#[test]
fn what_a_handler_makes_of_the_listen_sockets_number_stays() {
    let _turn = beside_others();
    let zero = || Some(PathBuf::from("/dev/zero"));
    let cases = [
        (Library::Original, "-x", -libc::EBADF, None),
        (Library::Original, "-y", -libc::ENOTSOCK, zero()),
        (Library::Ours, "-x", EINTR, None),
        (Library::Ours, "-y", EINTR, zero()),
    ];
    for (library, option, result, becomes) in cases {
        for listen in [Listen::Unix, Listen::Own] {
            let worker = Worker::start(library, listen, &["-l", option]);
            let process = worker.running.pid();
            until_accepting(process);
            let number = listen_socket(process);
            let mut before = descriptors(process);
            before.remove(&number);
            worker.signal(libc::SIGTERM);
            until("the end of Accept", PATIENCE, || (worker.results() == [result]).then_some(()));
            let mut after = descriptors(process);
            let what = after.remove(&number).map(|(what, _)| what);
            assert_eq!((&what, after), (&becomes, before), "{library:?}, {listen:?}, {option}");
            // A program that another test is starting may still have a copy of the socket.
            until("refusal", PATIENCE, || UnixStream::connect(worker.path("socket")).err());
        }
    }
}

fn is_socket(what: &Path) -> bool {
    what.to_str().is_some_and(|what| what.starts_with("socket:"))
}

/// Returns whether strace is holding back a thread of the process.
fn is_held_back(process: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    tasks.into_iter().any(|task| state(&task.unwrap().path()) == Some('t'))
}

/// Wakes one process for a connection and sends it `ending`, SIGTERM or SIGKILL, at the same
/// moment. Its sibling was not woken. One of the two serves the connection. Returns how long that
/// took.
fn served_although_the_process_that_was_woken(ending: i32) -> Duration {
    need("strace", "/usr/bin/strace");
    let strace = ["strace", "-f", "-qq", "-o", "trace", "-e", "trace=epoll_wait"];
    let late = ["-e", "inject=epoll_wait:delay_exit=200000"];
    let around = [&strace[..], &late].concat();
    let worker = Worker::start_in(&around, Library::Ours, Listen::Unix, &["-p", "2", "-t", "1"]);
    let processes = until("the program's processes", PATIENCE, || {
        let first = children_of(worker.running.pid())?.into_iter().next_back()?;
        let trace = fs::read_to_string(worker.path("trace")).ok()?;
        let waits = trace.matches("epoll_wait(").count();
        children_of(first).filter(|list| list.len() == 2 && waits >= 2)
    });
    let mut connection = worker.connect();
    let start = Instant::now();
    connection.send(&request(1, false, &[("WHO", "")], b""));
    let woken = until("a process to wake up", PATIENCE, || {
        processes.iter().copied().find(|process| is_held_back(*process))
    });
    signal(woken, ending);
    let served_by: u32 = text(&connection.until_end_of(1)).parse().unwrap();
    assert!(processes.contains(&served_by));
    start.elapsed()
}

#[test]
fn a_connection_is_not_lost_with_the_process_that_was_woken_for_it() {
    let _turn = alone();
    let took = served_although_the_process_that_was_woken(libc::SIGTERM);
    assert!(took < AT_MOST, "served after {took:?}");
    // A killed process cannot wake its siblings, which look again after a second.
    let took = served_although_the_process_that_was_woken(libc::SIGKILL);
    assert!(took < 2 * AT_MOST, "served after {took:?}");
}

#[test]
fn the_programs_own_nonblocking_socket_does_not_wait() {
    let _turn = beside_others();
    for library in Library::BOTH {
        for threads in [&["-n"][..], &["-n", "-t", "3"]] {
            let mut worker = Worker::start(library, Listen::Own, threads);
            let status = worker.running.wait(PATIENCE).expect("it waits");
            assert_eq!(status.code(), Some(0));
            assert!(worker.results().iter().all(|result| *result == EAGAIN));
        }
    }
}

#[test]
fn an_inherited_nonblocking_socket_is_waited_on() {
    let _turn = beside_others();
    for threads in [&["-n"][..], &["-n", "-t", "3"]] {
        for listen in [Listen::Unix, Listen::Tcp] {
            let worker = Worker::start(Library::Ours, listen, threads);
            for _ in 0..3 {
                answered(worker.connect(), "body");
            }
            assert_eq!(worker.results(), []);
        }
    }
    let mut worker = Worker::start(Library::Original, Listen::Unix, &["-n"]);
    assert!(worker.running.wait(IN_VAIN).is_some(), "the original does it right");
}

#[test]
fn a_process_that_loses_the_race_serves_its_kept_connections() {
    let _turn = beside_others();
    let worker = Worker::ours(&["-p", "4"]);
    let mut kept: Vec<Connection> = (0..8).map(|_| worker.connect()).collect();
    for kept in &mut kept {
        who(kept);
    }
    for round in 0..200 {
        // A burst of connections wakes several processes, most of which find nothing to accept.
        let mut burst: Vec<Connection> = (0..3).map(|_| worker.connect()).collect();
        for one in &mut burst {
            one.send(&echo(1, false, "burst"));
        }
        for kept in &mut kept {
            let start = Instant::now();
            kept.send(&echo(1, true, &round.to_string()));
            assert_eq!(output(kept, 1, start), round.to_string());
        }
        for one in &mut burst {
            assert_eq!(text(&one.until_closed()), "burst");
        }
    }
    assert!(is_answered_within(worker.connect(), IN_VAIN));
}
