//! What ends Accept and what does not: signals with FCGI_FAIL_ACCEPT_ON_INTR, and the program's own
//! timeout on its listen socket. Every way of waiting behaves like accept(2).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::answered;
use testkit::turns::beside_others;
use testkit::{Library, Listen, PATIENCE, Worker, signal, state, until, until_asleep};

const AGAIN: i32 = -libc::EAGAIN;

/// The options for one thread, and for a second one that accepts while the first waits for it.
const SHAPES: [&[&str]; 2] = [&[], &["-t", "1"]];

/// Returns the thread that accepts, which is the last one.
fn acceptor(worker: &Worker, options: &[&str]) -> u32 {
    let process = worker.running.pid();
    until("the threads", PATIENCE, || {
        let tasks = fs::read_dir(format!("/proc/{process}/task")).ok()?;
        let numbers = tasks.map(|task| task.ok()?.file_name().to_str()?.parse().ok());
        let list: Vec<u32> = numbers.collect::<Option<_>>()?;
        (list.len() == 1 + usize::from(options.contains(&"-t"))).then(|| list.into_iter().max())?
    })
}

/// Waits until a thread sleeps in a system call or has ended.
fn until_asleep_or_gone(task: &Path) {
    until("a thread to sleep", PATIENCE, || {
        state(task).is_none_or(|state| state == 'S').then_some(())
    });
}

/// Sends a signal to one thread, and waits until it is handled and the thread waits again.
fn interrupt(worker: &Worker, thread: u32, number: i32) {
    let process = worker.running.pid();
    // SAFETY: no pointer is passed; the thread belongs to the test's own program.
    let result =
        unsafe { libc::syscall(libc::SYS_tgkill, process as libc::c_long, thread, number) };
    assert_eq!(result, 0);
    let status = format!("/proc/{process}/task/{thread}/status");
    until("the signal's handler", PATIENCE, || {
        let Ok(text) = fs::read_to_string(&status) else { return Some(()) };
        let pending = text.lines().find_map(|line| line.strip_prefix("SigPnd:"))?.trim();
        pending.bytes().all(|digit| digit == b'0').then_some(())
    });
    until_asleep_or_gone(&PathBuf::from(format!("/proc/{process}/task/{thread}")));
}

/// Stops and continues the program, as a debugger or job control does.
fn stop_and_continue(worker: &Worker, thread: u32) {
    let process = worker.running.pid();
    let task = PathBuf::from(format!("/proc/{process}/task/{thread}"));
    signal(process, libc::SIGSTOP);
    until("the program to stop", PATIENCE, || (state(&task) == Some('T')).then_some(()));
    signal(process, libc::SIGCONT);
    until("the program to go on", PATIENCE, || (state(&task) != Some('T')).then_some(()));
    until_asleep_or_gone(&task);
}

#[test]
fn a_handler_with_sa_restart_and_a_stop_let_accept_go_on() {
    let _turn = beside_others();
    for library in Library::BOTH {
        for shape in SHAPES {
            let options = [&["-r"], shape].concat();
            let worker = Worker::start(library, Listen::Unix, &options);
            let thread = acceptor(&worker, &options);
            until_asleep(thread);
            interrupt(&worker, thread, libc::SIGCHLD);
            stop_and_continue(&worker, thread);
            answered(worker.connect(), "body");
            assert_eq!(worker.results(), [], "{library:?} {options:?}");
        }
    }
}

#[test]
fn neither_ends_a_wait_for_kept_connections() {
    let _turn = beside_others();
    for shape in SHAPES {
        let options = [&["-r"], shape].concat();
        let worker = Worker::ours(&options);
        let _kept = worker.kept();
        let thread = acceptor(&worker, &options);
        until_asleep(thread);
        interrupt(&worker, thread, libc::SIGCHLD);
        stop_and_continue(&worker, thread);
        answered(worker.connect(), "body");
        assert_eq!(worker.results(), [], "{options:?}");
    }
}

#[test]
fn a_stop_does_not_end_accept_beside_a_handler_without_sa_restart() {
    let _turn = beside_others();
    for library in Library::BOTH {
        for shape in SHAPES {
            let options = [&["-i"], shape].concat();
            let worker = Worker::start(library, Listen::Unix, &options);
            let thread = acceptor(&worker, &options);
            until_asleep(thread);
            stop_and_continue(&worker, thread);
            answered(worker.connect(), "body");
            assert_eq!(worker.results(), [], "{library:?} {options:?}");
        }
    }
}

#[test]
fn with_handlers_of_both_kinds_either_ends_a_wait_for_several() {
    let _turn = beside_others();
    let options = ["-i", "-r", "-t", "1"];
    for (library, results) in [(Library::Original, &[][..]), (Library::Ours, &[-libc::EINTR])] {
        let worker = Worker::start(library, Listen::Unix, &options);
        let thread = acceptor(&worker, &options);
        until_asleep(thread);
        interrupt(&worker, thread, libc::SIGCHLD);
        if library == Library::Original {
            answered(worker.connect(), "body");
        }
        until("Accept to end or not", PATIENCE, || (worker.results() == results).then_some(()));
    }
}

/// Waits for the one result of a program that ends when Accept fails, and checks how long it took.
fn ends_after(worker: &mut Worker, limit: Duration, start: Instant, what: &str) {
    let ended = worker.running.wait(PATIENCE);
    assert!(ended.is_some(), "{what}: Accept has not come back");
    let waited = start.elapsed();
    assert!(waited >= limit && waited < limit + Duration::from_secs(2), "{what}: {waited:?}");
    assert_eq!(worker.results(), [AGAIN], "{what}");
}

#[test]
fn the_listen_sockets_time_limit_ends_accept() {
    let _turn = beside_others();
    let limit = Duration::from_millis(1200);
    for library in Library::BOTH {
        for listen in [Listen::Unix, Listen::Own] {
            for shape in SHAPES {
                let options = [&["-w", "1200"], shape].concat();
                let start = Instant::now();
                let mut worker = Worker::start(library, listen, &options);
                let what = format!("{library:?} {listen:?} {options:?}");
                ends_after(&mut worker, limit, start, &what);
            }
        }
    }
}

#[test]
fn the_time_limit_counts_from_each_accept_beside_kept_connections() {
    let _turn = beside_others();
    let limit = Duration::from_millis(700);
    for shape in SHAPES {
        let mut worker = Worker::ours(&[&["-w", "700"], shape].concat());
        let _kept = worker.kept();
        let start = Instant::now();
        ends_after(&mut worker, limit - Duration::from_millis(20), start, &format!("{shape:?}"));
    }
}
