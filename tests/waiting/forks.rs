//! What a child inherits of its parent's connections, and what it does to them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::changes::{rests, tell};
use super::processes::until_accepting;
use super::{IN_VAIN, text};
use testkit::turns::beside_others;
use testkit::wire::{Connection, request};
use testkit::{Library, Listen, PATIENCE, Worker, until, until_asleep};

/// The options for one thread and for four.
const THREADS: [&[&str]; 2] = [&[], &["-t", "4"]];

/// The number of files that a child which starts afresh opens (see worker.c).
const OWN_FILES: usize = 8;

/// Returns how many of these files a process has open.
fn own_files(process: u32) -> usize {
    let entries = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    // The child may be closing inherited descriptors at the same time.
    let links = entries.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    links.filter(|link| link == Path::new("/dev/zero")).count()
}

/// The numbers of the parent's descriptors may have been reused by the time the child first waits.
#[test]
fn a_child_that_starts_afresh_keeps_its_own_files() {
    let _turn = beside_others();
    // The original waits for its one connection and nothing else.
    for (library, connections) in [(Library::Original, 1), (Library::Ours, 3)] {
        let worker = Worker::start(library, Listen::Unix, &[]);
        let mut parents: Vec<Connection> = (0..connections).map(|_| worker.kept()).collect();
        let last = parents.last_mut().unwrap();
        last.send(&request(1, true, &[("FORK", "afresh")], b""));
        let child: u32 = text(&last.until_end_of(1)).parse().unwrap();
        until("the child's files", PATIENCE, || (own_files(child) == OWN_FILES).then_some(()));
        worker.signal(libc::SIGKILL);
        for parents in &mut parents {
            assert_eq!(parents.until_closed(), []);
        }
        let mut served = worker.connect();
        for _ in 0..3 {
            served.send(&request(1, true, &[("WHO", "")], b""));
            assert_eq!(text(&served.until_end_of(1)), child.to_string());
        }
        until_asleep(child);
        assert_eq!(own_files(child), OWN_FILES, "{library:?}");
    }
}

#[test]
fn a_child_that_never_waits_holds_no_idle_connection() {
    let _turn = beside_others();
    let all_end = |library, options: &[&str]| {
        let worker = Worker::start(library, Listen::Unix, options);
        let threads = if options.is_empty() { 1 } else { 5 };
        let mut idle: Vec<Connection> = (0..3).map(|_| worker.kept()).collect();
        worker.until_all_wait(threads);
        worker.ask(&[("FORK", "idle")]);
        worker.signal(libc::SIGKILL);
        let limit = if library == Library::Ours { PATIENCE } else { IN_VAIN };
        idle.iter_mut().all(|idle| {
            assert_eq!(idle.within(limit), []);
            idle.closed
        })
    };
    for options in THREADS {
        assert!(all_end(Library::Ours, options), "{options:?}");
    }
    assert!(!all_end(Library::Original, THREADS[1]), "the original does it right");
}

/// The child inherits a copy of what the program's own signal handlers write to.
#[test]
fn a_child_that_was_made_unnoticed_does_not_keep_its_parent_busy() {
    let _turn = beside_others();
    for library in Library::BOTH {
        for options in THREADS {
            let worker = Worker::start(library, Listen::Unix, options);
            let mut idle = worker.kept();
            tell(&worker, &mut idle, "RAW_FORK");
            rests(&worker, &mut idle);
            tell(&worker, &mut idle, "");
        }
    }
}

/// The connection is accepted while a fork is under way, and closed before fork returns, when the
/// child already has its copy.
#[test]
fn a_connection_ends_for_its_peer_although_a_fork_is_under_way() {
    let _turn = beside_others();
    for library in Library::BOTH {
        let worker = Worker::start(library, Listen::Unix, &["-m", "-t", "2"]);
        let [mut forking, mut meanwhile] = [worker.connect(), worker.connect()];
        forking.send(&request(1, false, &[("FORK", "idle")], b""));
        meanwhile.send(&request(1, false, &[("MEANWHILE", "")], b"body"));
        assert_eq!(text(&meanwhile.until_closed()), "body");
        assert!(!text(&forking.until_closed()).is_empty());
    }
}

#[test]
fn a_child_that_a_signal_handler_makes_serves_as_its_parent_does() {
    let _turn = beside_others();
    // With the original, both processes would wait for the kept connection and nothing else.
    for (library, keeps) in
        [(Library::Original, false), (Library::Ours, false), (Library::Ours, true)]
    {
        let mut worker = Worker::start(library, Listen::Unix, &["-k"]);
        let parent = worker.running.pid();
        let mut idle = keeps.then(|| worker.kept());
        until_accepting(parent);
        worker.signal(libc::SIGUSR2);
        let child = *worker.children(1).first().unwrap();
        let who = [("WHO", ""), ("SLEEP", "20")];
        until("an answer of each process", PATIENCE, || {
            // The two requests overlap, so that one process cannot serve both.
            let mut pair = [worker.connect(), worker.connect()];
            // Both connections are accepted before their heads arrive.
            thread::sleep(Duration::from_millis(5));
            for one in &mut pair {
                one.send(&request(1, false, &who, b""));
            }
            let seen = pair.each_mut().map(|one| text(&one.until_closed()).parse().unwrap());
            (BTreeSet::from(seen) == BTreeSet::from([parent, child])).then_some(())
        });
        if let Some(idle) = &mut idle {
            idle.send(&request(1, true, &who, b""));
            assert_eq!(text(&idle.until_end_of(1)), parent.to_string());
        }
        assert_eq!(worker.results(), [], "{library:?}");
        worker.signal(libc::SIGKILL);
        // Until it has ended, the parent may accept a connection and take it along.
        assert!(worker.running.wait(PATIENCE).is_some());
        if let Some(idle) = &mut idle {
            assert_eq!(idle.until_closed(), []);
        }
        assert_eq!(worker.ask(&who), child.to_string());
    }
}
