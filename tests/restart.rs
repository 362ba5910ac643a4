//! A host that repeatedly loads the library, serves with several threads, shuts the library down
//! and unloads it.

use std::process::Command;
use std::time::Duration;

use testkit::{Ended, Library, TempDir, compile, root, run};

const LIMIT: Duration = Duration::from_secs(150);

/// Runs tests/restart/rounds.c, whose first comment explains the words.
fn rounds(library: Library, rounds: u32, threads: u32, words: &[&str]) -> Ended {
    let dir = TempDir::new();
    let program = dir.join("rounds");
    compile(&root("tests/restart/rounds.c"), library, &program)
        .unwrap_or_else(|error| panic!("{error}"));
    let mut command = Command::new(program);
    command.args([rounds.to_string(), threads.to_string()]).args(words).current_dir(dir.path());
    run(library.under(&mut command), LIMIT)
}

/// Asserts that each round serves one request per thread plus one, that no descriptor and no memory
/// leaks, and that SIGTERM ends the program.
fn serves_each_round(count: u32, threads: u32, words: &[&str]) {
    let ended = rounds(Library::Ours, count, threads, words);
    let served = count * (threads + 1);
    let wanted = (format!("signal {}", libc::SIGTERM), format!("{served} served\n"));
    assert_eq!((ended.how.clone(), ended.stdout.clone()), wanted, "{words:?}: {ended}");
}

#[test]
fn two_hundred_rounds_of_loading_and_unloading() {
    serves_each_round(200, 8, &[]);
}

#[test]
fn two_hundred_rounds_in_a_library_that_stays() {
    serves_each_round(200, 8, &["kept"]);
}

#[test]
fn a_single_thread_and_many() {
    for threads in [1, 16] {
        serves_each_round(20, threads, &[]);
    }
}

#[test]
fn clients_that_stay_connected_to_the_end() {
    serves_each_round(20, 4, &["connected"]);
}

#[test]
fn children_that_are_forked_between_the_rounds() {
    serves_each_round(40, 4, &["forking"]);
    serves_each_round(40, 4, &["forking", "kept"]);
}

#[test]
fn sigterm_does_what_it_did_before() {
    for (word, said) in [("ignored", ""), ("own", "the program's own handler\n")] {
        let ended = rounds(Library::Ours, 3, 2, &[word]);
        let wanted = format!("9 served\n{said}after SIGTERM\n");
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), wanted.as_str()), "{ended}");
    }
}

#[test]
fn a_signal_after_unloading_crashes_the_original() {
    let how = |library| rounds(library, 1, 0, &[]).how;
    assert_eq!(how(Library::Original), format!("signal {}", libc::SIGSEGV));
    assert_eq!(how(Library::Ours), format!("signal {}", libc::SIGTERM));
}
