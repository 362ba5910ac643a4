//! The cost of waiting: the system calls of a request, as strace sees them.

use std::fs;

use super::echo;
use testkit::turns::alone;
use testkit::wire::{Connection, request};
use testkit::{Library, Listen, PATIENCE, Worker, need, signal, until, until_asleep};

const REQUESTS: usize = 20;

/// Returns the name and the line of each system call of the program, in order. Ends the program
/// first, because strace buffers lines while it runs.
fn calls(mut worker: Worker) -> Vec<(String, String)> {
    signal(program(&worker), libc::SIGTERM);
    assert!(worker.running.wait(PATIENCE).is_some(), "the program has not ended");
    let trace = fs::read_to_string(worker.path("trace")).unwrap();
    let lines = trace.lines().filter_map(|line| {
        let line = line.split_once(' ')?.1.trim_start();
        let line = line.strip_prefix("<... ").unwrap_or(line);
        let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
        Some((line[..end].to_owned(), line.to_owned()))
    });
    // A call that strace prints in two parts is counted where it ends.
    let whole = |(_, line): &(String, String)| !line.ends_with("<unfinished ...>");
    lines.filter(whole).collect()
}

/// Returns the pid of the program, which is strace's child.
fn program(worker: &Worker) -> u32 {
    let trace = fs::read_to_string(worker.path("trace")).unwrap();
    trace.split_once(' ').unwrap().0.parse().unwrap()
}

/// Returns whether the program has started a call.
fn has_begun(worker: &Worker, name: &str) -> bool {
    fs::read_to_string(worker.path("trace")).is_ok_and(|trace| trace.contains(name))
}

fn traced(library: Library, options: &[&str]) -> Worker {
    need("strace", "/usr/bin/strace");
    let strace = ["strace", "-f", "-qq", "-s", "0", "-e", "signal=none", "-o", "trace"];
    Worker::start_in(&strace, library, Listen::Unix, options)
}

/// Queues clients whose requests have all arrived before the program reads the first: it sleeps in
/// another request until then.
fn clients_in_a_row(worker: &Worker) {
    let mut first = worker.connect();
    first.send(&request(1, false, &[("SLEEP", "400")], b""));
    // Once the program sleeps, it has accepted this connection.
    until("the program to sleep", PATIENCE, || has_begun(worker, "clock_nanosleep").then_some(()));
    let mut clients: Vec<Connection> = (0..REQUESTS).map(|_| worker.connect()).collect();
    for client in &mut clients {
        client.send(&echo(1, false, "body")).half_close();
    }
    first.until_closed();
    for client in &mut clients {
        assert_eq!(client.until_closed().len(), 3);
    }
}

fn count(calls: &[(String, String)], name: &str) -> usize {
    calls.iter().filter(|(call, _)| call == name).count()
}

/// Returns the calls from the first return of `name` up to, but not including, the last.
fn between<'a>(calls: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    let names: Vec<&str> = calls.iter().map(|(call, _)| call.as_str()).collect();
    let first = names.iter().position(|call| *call == name).unwrap();
    let last = names.iter().rposition(|call| *call == name).unwrap();
    names[first..last].to_vec()
}

#[test]
fn a_connection_for_each_request_costs_four_calls() {
    let _turn = alone();
    let worker = traced(Library::Ours, &[]);
    clients_in_a_row(&worker);
    let calls = calls(worker);
    // Only what follows the request that slept counts.
    let slept = calls.iter().position(|(name, _)| name == "clock_nanosleep").unwrap();
    let own = between(&calls[slept..], "accept4");
    let one = ["accept4", "recvfrom", "sendto", "close"];
    assert_eq!(own, one.repeat(own.len() / 4));
    assert!(own.len() / 4 >= REQUESTS - 1, "{own:?}");
    assert!(!calls.iter().any(|(_, line)| line.contains("F_SETFL")), "flags were changed");
    assert_eq!(count(&calls, "epoll_create1"), 0);
}

#[test]
fn the_original_needs_more_calls() {
    let _turn = alone();
    let worker = traced(Library::Original, &[]);
    clients_in_a_row(&worker);
    let calls = calls(worker);
    let slept = calls.iter().position(|(name, _)| name == "clock_nanosleep").unwrap();
    let own = between(&calls[slept..], "accept");
    assert!(own.len() >= 7 * (REQUESTS - 1), "{own:?}");
}

/// Sends one request after the other on one connection. The first few are not yet the steady state.
fn kept_requests(worker: &Worker) {
    let mut connection = worker.connect();
    connection.send(&echo(1, true, "body"));
    connection.until_end_of(1);
    let program = program(worker);
    // The last thread is the one that serves.
    let threads = fs::read_dir(format!("/proc/{program}/task")).unwrap();
    let names = threads.map(|thread| thread.unwrap().file_name().into_string().unwrap());
    let thread = names.map(|name| name.parse().unwrap()).max().unwrap();
    for _ in 0..REQUESTS {
        connection.send(&echo(1, true, "body"));
        connection.until_end_of(1);
        // The next request must not arrive before the program waits for it.
        until_asleep(thread);
    }
}

/// Returns whether a line registers or deregisters the listen socket, descriptor 0. That happens
/// every few milliseconds, not on each request, so that idle siblings accept first.
fn is_step_back(line: &str) -> bool {
    line.contains("EPOLL_CTL_DEL, 0,") || line.contains("EPOLL_CTL_ADD, 0,")
}

/// Asserts that at some point the calls are those of one request, repeated.
fn assert_steady(calls: &[(String, String)], one: &[&str]) {
    let own = calls.iter().filter(|(_, line)| !is_step_back(line));
    let names: Vec<&str> = own.map(|(call, _)| call.as_str()).collect();
    let steady = one.repeat(REQUESTS - 4);
    let found = names.windows(steady.len()).any(|window| window == steady);
    assert!(found, "the calls never settle at {one:?}: {names:?}");
}

#[test]
fn a_kept_request_costs_three_calls() {
    let _turn = alone();
    let worker = traced(Library::Ours, &[]);
    kept_requests(&worker);
    assert_steady(&calls(worker), &["epoll_wait", "recvfrom", "sendto"]);
}

/// Queued connections are accepted without asking the kernel first.
#[test]
fn with_threads_a_queued_request_comes_to_cost_four_calls_too() {
    let _turn = alone();
    let worker = traced(Library::Ours, &["-t", "1"]);
    clients_in_a_row(&worker);
    let calls = calls(worker);
    let slept = calls.iter().position(|(name, _)| name == "clock_nanosleep").unwrap();
    let names: Vec<&str> = calls[slept..].iter().map(|(call, _)| call.as_str()).collect();
    let one = ["accept4", "recvfrom", "sendto", "close"];
    // The kernel is still asked about the first few.
    let steady = one.repeat(REQUESTS - 10);
    assert!(names.windows(steady.len()).any(|window| window == steady), "{names:?}");
}

#[test]
fn with_threads_a_kept_request_costs_three_calls_too() {
    let _turn = alone();
    let worker = traced(Library::Ours, &["-t", "1"]);
    kept_requests(&worker);
    assert_steady(&calls(worker), &["poll", "recvfrom", "sendto"]);
}

#[test]
fn a_large_write_is_one_call() {
    let _turn = alone();
    let writes = |library| {
        let worker = traced(library, &[]);
        let mut connection = worker.connect();
        connection.send(&request(1, false, &[("SIZE", "50000")], b""));
        connection.until_closed();
        let calls = calls(worker);
        let sent = calls.iter().filter(|(name, line)| {
            let socket = ["sendto", "sendmsg", "write", "writev"].contains(&name.as_str());
            socket && !line.starts_with("write(1,") && !line.starts_with("write(2,")
        });
        sent.count()
    };
    // One call sends the content, the other the end of the stream and of the request.
    assert_eq!(writes(Library::Ours), 2);
    assert!(writes(Library::Original) >= 7);
}
