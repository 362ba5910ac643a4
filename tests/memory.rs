//! Programs on our library under valgrind: no invalid access, no use of uninitialised memory, no
//! leak.

use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::{Ended, LIMIT, Library, TempDir, compile, need, root, run};

/// Programs of c-tests that together reach everything: streams in both directions, kept and broken
/// connections, parameters, printing, threads, stdio.
const PROGRAMS: [&str; 13] = [
    "broken_connection",
    "create_writer",
    "filter",
    "finish_in_another_thread",
    "free_request",
    "hand_built_stream",
    "init_request_again",
    "keep_conn",
    "params_lengths",
    "print_f",
    "read_errors",
    "stdio_streams",
    "unread_body",
];

fn build(source: &str, dir: &TempDir) -> PathBuf {
    let program = dir.join("program");
    compile(&root(source), Library::Ours, &program).unwrap_or_else(|error| panic!("{error}"));
    program
}

/// Runs a program under valgrind, with `leaks` as the kinds of leaks that are errors.
fn check(program: &Path, dir: &TempDir, leaks: &str) -> Ended {
    need("valgrind", "/usr/bin/valgrind");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["-q", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=all"]);
    valgrind.arg(format!("--errors-for-leak-kinds={leaks}")).arg(program);
    run(Library::Ours.under(valgrind.current_dir(dir.path())), LIMIT)
}

#[test]
fn the_programs_of_the_suite_make_no_error() {
    for name in PROGRAMS {
        let dir = TempDir::new();
        let program = build(&format!("c-tests/{name}.c"), &dir);
        // Init on a used request drops what it held, which is a leak of the program.
        let leaks = if name == "init_request_again" { "none" } else { "definite,possible" };
        check(&program, &dir, leaks).must_succeed();
    }
}

#[test]
fn nothing_is_left_after_os_lib_shutdown() {
    let dir = TempDir::new();
    let program = build("tests/memory/shut_down.c", &dir);
    let ended = check(&program, &dir, "definite,indirect,possible,reachable");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "9 requests\n"), "{ended}");
}
