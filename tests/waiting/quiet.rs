//! What threads do while nothing happens.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::changes::rests;
use testkit::turns::alone;
use testkit::{Library, Listen, Worker};

/// How long the test watches the threads.
const WATCHED: Duration = Duration::from_secs(4);

/// The time in which the first waits are short, because each thread checks whether the program
/// wants it to wait.
const SETTLED: Duration = Duration::from_millis(500);

/// Returns how many times the threads of a process have gone to sleep so far.
fn sleeps(worker: &Worker) -> u64 {
    let sleeps = |task: &Path| -> u64 {
        let status = fs::read_to_string(task.join("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.unwrap().trim().parse().unwrap()
    };
    let tasks = fs::read_dir(format!("/proc/{}/task", worker.running.pid())).unwrap();
    tasks.map(|task| sleeps(&task.unwrap().path())).sum()
}

/// All threads together wake once a second, however many there are.
#[test]
fn many_idle_threads_wake_as_seldom_as_a_few() {
    let _turn = alone();
    for threads in ["1", "63"] {
        let worker = Worker::start(Library::Ours, Listen::Unix, &["-t", threads]);
        let mut idle = worker.kept();
        rests(&worker, &mut idle);
        worker.until_all_wait(threads.parse::<usize>().unwrap() + 1);
        assert!(idle.is_silent(SETTLED));
        let before = sleeps(&worker);
        assert!(idle.is_silent(WATCHED));
        let slept = sleeps(&worker) - before;
        assert!(slept <= WATCHED.as_secs() + 2, "{threads} threads and one slept {slept} times");
        rests(&worker, &mut idle);
    }
}
