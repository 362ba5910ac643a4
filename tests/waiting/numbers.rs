//! Files of the program that get the numbers of the library's descriptors: the library does not
//! read, write, change or close them, and the program goes on serving.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::changes::tell;
use super::{AT_MOST, answered, is_answered_within, text};
use testkit::turns::alone;
use testkit::wire::{Connection, request};
use testkit::{Library, Listen, PATIENCE, Worker, until, until_asleep};

/// The options for one thread and for four.
const THREADS: [&[&str]; 2] = [&[], &["-t", "4"]];

fn start(library: Library, options: &[&str], threads: &[&str]) -> Worker {
    let worker = Worker::start(library, Listen::Unix, &[options, threads].concat());
    answered(worker.connect(), "first");
    worker.until_all_wait(if threads.is_empty() { 1 } else { 5 });
    worker
}

/// Returns the descriptors of a process from 3 on: what each is, its position and flags, and for an
/// epoll instance what it watches.
fn files(process: u32) -> BTreeMap<i32, String> {
    let numbers = fs::read_dir(format!("/proc/{process}/fd")).unwrap().filter_map(|entry| {
        let name = entry.ok()?.file_name();
        name.to_str()?.parse().ok().filter(|number| *number > 2)
    });
    let known = numbers.filter_map(|number: i32| {
        let link = fs::read_link(format!("/proc/{process}/fd/{number}")).ok()?;
        let info = fs::read_to_string(format!("/proc/{process}/fdinfo/{number}")).ok()?;
        Some((number, format!("{} {info}", link.display())))
    });
    known.collect()
}

/// Returns the library's descriptors: those below the program's own files and not inherited from
/// the test.
fn librarys(worker: &Worker) -> BTreeSet<i32> {
    let inherited = files(std::process::id());
    let link = |file: &str| file.split_whitespace().next().map(str::to_owned);
    let is_inherited = |file: &str| inherited.values().any(|other| link(other) == link(file));
    let mut files = files(worker.running.pid());
    files
        .retain(|number, file| *number < 64 && (file.contains("eventpoll") || !is_inherited(file)));
    files.into_keys().collect()
}

/// Puts the program's own file or epoll instance at these numbers, and returns what is there then.
fn put_over(worker: &Worker, numbers: &BTreeSet<i32>, epoll: bool) -> BTreeMap<i32, String> {
    let list: Vec<String> = numbers.iter().map(i32::to_string).collect();
    let list = list.join(",");
    let mut all = vec![("OVER", &*list), ("WHO", "")];
    all.extend(epoll.then_some(("EPOLL", "")));
    let mut connection = worker.connect();
    connection.send(&request(1, false, &all, b""));
    assert_eq!(text(&connection.until_end_of(1)), worker.running.pid().to_string());
    let mut files = files(worker.running.pid());
    files.retain(|number, _| numbers.contains(number));
    let own = if epoll { "eventpoll" } else { "/own " };
    assert!(files.len() == numbers.len() && files.values().all(|file| file.contains(own)));
    files
}

/// Asserts that the descriptors and the file's contents are unchanged.
fn must_be_untouched(worker: &Worker, process: u32, before: &BTreeMap<i32, String>) {
    let mut now = files(process);
    now.retain(|number, _| before.contains_key(number));
    assert_eq!(&now, before);
    assert_eq!(fs::read(worker.path("own")).unwrap(), b"");
}

/// Asserts that every waiting thread returns. Where nothing can wake the threads that waited
/// before, they get two seconds for each. (Of the original's threads only the one that gets the
/// signal returns.)
fn must_end(worker: &Worker, library: Library, threads: &[&str]) {
    worker.signal(libc::SIGTERM);
    let count = if threads.is_empty() { 1 } else { 4 };
    if library == Library::Ours || count == 1 {
        let results = until("the threads' ends", 2 * (count as u32 + 1) * AT_MOST, || {
            Some(worker.results()).filter(|results| results.len() == count)
        });
        assert!(results.iter().all(|result| *result < 0), "{results:?}");
    }
}

#[test]
fn a_program_that_closes_everything_while_it_waits_is_served_on() {
    let _turn = alone();
    for library in Library::BOTH {
        for threads in THREADS {
            for has_kept in [false, true] {
                let worker = start(library, &["-d", "-l"], threads);
                // The original waits for that connection and nothing else.
                let has_kept = has_kept && library == Library::Ours;
                let mut idle = has_kept.then(|| worker.kept());
                worker.signal(libc::SIGUSR2);
                until("the end of its descriptors", PATIENCE, || {
                    worker.path("done").exists().then_some(())
                });
                if let Some(idle) = &mut idle {
                    assert_eq!(idle.until_closed(), []);
                }
                for _ in 0..3 {
                    assert!(is_answered_within(worker.connect(), 2 * AT_MOST), "{library:?}");
                }
                if library == Library::Ours {
                    let mut again = worker.kept();
                    answered(worker.connect(), "another");
                    tell(&worker, &mut again, "");
                }
                must_end(&worker, library, threads);
            }
        }
    }
}

/// SIGTERM arrives before any thread has noticed, or after all have.
#[test]
fn files_at_the_numbers_of_all_descriptors_are_left_alone() {
    let _turn = alone();
    for library in Library::BOTH {
        for threads in THREADS {
            for is_noticed in [false, true] {
                let worker = start(library, &["-D", "-l"], threads);
                let process = worker.running.pid();
                let _idle = (library == Library::Ours).then(|| worker.kept());
                worker.signal(libc::SIGUSR2);
                until("the program's files", PATIENCE, || {
                    worker.path("done").exists().then_some(())
                });
                let mut before = files(process);
                before.retain(|number, file| *number < 64 && file.contains("/own "));
                // Each thread that waits in accept has already reserved a number.
                assert!(before.len() >= 61 - 4, "{before:?}");
                if is_noticed {
                    for _ in 0..3 {
                        assert!(is_answered_within(worker.connect(), 2 * AT_MOST));
                    }
                }
                must_be_untouched(&worker, process, &before);
                must_end(&worker, library, threads);
                must_be_untouched(&worker, process, &before);
            }
        }
    }
}

/// If the descriptor is a kept connection, that one is lost and no other.
#[test]
fn a_file_at_the_number_of_one_descriptor_is_left_alone() {
    let _turn = alone();
    let serve = |worker: &Worker, idle: &mut [Connection], number, epoll| {
        let before = put_over(worker, &BTreeSet::from([number]), epoll);
        let served = idle.iter_mut().map(|idle| {
            let is_open = !idle.has_ended();
            if is_open {
                // With an epoll instance of the program, the library learns nothing for up to a
                // second.
                idle.send(&request(1, true, &[], b"body"));
                assert_eq!(text(&idle.until_end_of(1)), "body");
            }
            is_open
        });
        let lost = served.filter(|served| !served).count();
        for _ in 0..3 {
            assert!(is_answered_within(worker.connect(), 2 * AT_MOST), "{number}");
        }
        must_be_untouched(worker, worker.running.pid(), &before);
        (before, lost)
    };
    let end = |worker: &Worker, library, threads, before| {
        must_end(worker, library, threads);
        must_be_untouched(worker, worker.running.pid(), &before);
    };
    for threads in THREADS {
        for epoll in [false, true] {
            // The original has no descriptor of its own to replace.
            let worker = start(Library::Original, &["-O", "-l"], threads);
            let (before, _) = serve(&worker, &mut [], 20, epoll);
            end(&worker, Library::Original, threads, before);

            let mut all_lost = Vec::new();
            loop {
                let worker = start(Library::Ours, &["-O", "-l"], threads);
                let mut idle = [worker.kept(), worker.kept()];
                worker.until_all_wait(if threads.is_empty() { 1 } else { 5 });
                let number = librarys(&worker).into_iter().nth(all_lost.len());
                let Some(number) = number else { break };
                let (before, lost) = serve(&worker, &mut idle, number, epoll);
                all_lost.push(lost);
                let mut again = worker.kept();
                tell(&worker, &mut again, "");
                end(&worker, Library::Ours, threads, before);
            }
            all_lost.sort_unstable();
            // The epoll instance, the two ends of the wake-up, and the two connections.
            assert_eq!(all_lost, [0, 0, 0, 1, 1], "{threads:?}");
        }
    }
}

/// The connection waits for its first request, and is to be closed when its time is over.
#[test]
fn a_file_at_the_number_of_a_connection_whose_time_is_over_is_left_alone() {
    let _turn = alone();
    for threads in THREADS {
        let setting = "LIBFCGI_IS_AF_UNIX_KEEPER_POLL_TIMEOUT=200";
        let options = [&["-O", "-l"], threads].concat();
        let worker = Worker::start_in(&["env", setting], Library::Ours, Listen::Unix, &options);
        let _idle = worker.kept();
        let known = librarys(&worker);
        let mut silent = worker.connect();
        let numbers = until("the silent connection", PATIENCE, || {
            let new = &librarys(&worker) - &known;
            (!new.is_empty()).then_some(new)
        });
        let before = put_over(&worker, &numbers, false);
        assert_eq!(silent.until_closed(), []);
        // The time of this one is over later.
        assert_eq!(worker.connect().until_closed(), []);
        answered(worker.connect(), "another");
        must_be_untouched(&worker, worker.running.pid(), &before);
    }
}

#[test]
fn files_at_the_numbers_of_all_descriptors_are_the_childs_too() {
    let _turn = alone();
    for library in Library::BOTH {
        for threads in THREADS {
            let mut worker = start(library, &["-O"], threads);
            let idle = (library == Library::Ours).then(|| worker.kept());
            worker.until_all_wait(if threads.is_empty() { 1 } else { 5 });
            let mut numbers = librarys(&worker);
            numbers.insert(40);
            let before = put_over(&worker, &numbers, false);
            let child = worker.ask(&[("FORK", "")]).parse().unwrap();
            until_asleep(child);
            must_be_untouched(&worker, child, &before);
            must_be_untouched(&worker, worker.running.pid(), &before);
            drop(idle);
            worker.signal(libc::SIGKILL);
            assert!(worker.running.wait(PATIENCE).is_some());
            let mut served = worker.connect();
            for _ in 0..3 {
                served.send(&request(1, true, &[("WHO", "")], b""));
                assert_eq!(text(&served.until_end_of(1)), child.to_string());
            }
            must_be_untouched(&worker, child, &before);
        }
    }
}
