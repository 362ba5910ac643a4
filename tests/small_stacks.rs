//! Everything works in a thread with 16,384 bytes of stack, the least that threads may have. The frames of
//! the shipped code, std's included, are measured on x86_64: none is larger than 1 KB. Each program of
//! c-tests runs with its `main` in such a thread, on the original first.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use testkit::wire::{output, request};
use testkit::{
    Ended, LIMIT, Library, Listen, PATIENCE, SERVED, TempDir, Worker, programs_in, until,
};
use testkit::{compile_with, root, run};
#[cfg(target_arch = "x86_64")]
use testkit::{disassembled, disassembly, disassembly_for_rust, dist};

/// The largest frame, including return address and saved registers.
const LARGEST: u64 = 1024;

/// Programs that cannot run in such a thread, and the reason.
const ELSEWHERE: [(&str, &str); 1] =
    [("open_socket_errors", "resolves host names: the C library needs more than that")];

/// Returns how far an instruction moves the end of the stack. A computed distance counts as unlimited.
fn distance(instruction: &str) -> u64 {
    let mut words = instruction.split_whitespace();
    let (Some("sub" | "add"), Some(operands)) = (words.next(), words.next()) else { return 0 };
    let Some(by) = operands.strip_suffix(",%rsp") else { return 0 };
    let constant = by.strip_prefix("$0x").and_then(|by| u64::from_str_radix(by, 16).ok());
    // The encoding uses -128, which fits into one byte, where 128 does not.
    constant.map_or(u64::MAX / 2, |by| (by as i64).unsigned_abs())
}

/// Returns the frame of each function: its return address, the registers that it saves, and the furthest that
/// it moves the end of the stack. Frames larger than a page are allocated page by page and freed in one step.
fn frames(text: &str) -> BTreeMap<String, u64> {
    let mut frames = BTreeMap::new();
    let (mut function, mut saved, mut furthest) = (String::new(), Vec::new(), 0);
    for line in text.lines() {
        if let Some((_, name)) = line.strip_suffix(">:").and_then(|line| line.split_once(" <")) {
            (function, saved, furthest) = (name.to_owned(), Vec::new(), 0);
            continue;
        }
        let Some((_, instruction)) = line.split_once(":\t") else { continue };
        match instruction.strip_prefix("push ") {
            Some(register) if saved.contains(&register) => {}
            Some(register) => saved.push(register),
            None => furthest = distance(instruction).max(furthest),
        }
        let frame = 8 + 8 * saved.len() as u64 + furthest;
        let largest = frames.entry(function.clone()).or_insert(0);
        *largest = frame.max(*largest);
    }
    frames
}

#[test]
#[cfg(target_arch = "x86_64")]
fn no_frame_is_larger_than_1_kb() {
    let mut frames_found = frames(&disassembly_for_rust());
    // Of a function that is in both, the shipped one counts.
    frames_found.extend(frames(&disassembly()));
    frames_found.extend(frames(&disassembled(&dist().join("fcgio.o"))));
    // The search works: it finds this function.
    let is_accept = |name: &String| name.contains("fcgi::capi::accept::next");
    assert!(frames_found.iter().any(|(name, &frame)| is_accept(name) && frame > 200));
    assert!(frames_found.keys().any(|name| name.contains("fcgi_streambuf::")));
    assert!(frames_found.keys().any(|name| name.contains("fcgi::api::request::Request::end")));
    frames_found.retain(|_, frame| *frame > LARGEST);
    assert!(frames_found.is_empty(), "frames of more than {LARGEST} bytes: {frames_found:#?}");
}

#[test]
fn frames_are_measured() {
    let text = "\
0000000000000000 <plain>:
   0:\tpush   %rbp
   1:\tpush   %rbx
   2:\tsub    $0x18,%rsp
   6:\tadd    $0x18,%rsp
0000000000000010 <exactly_128>:
  10:\tadd    $0xffffffffffffff80,%rsp
  14:\tsub    $0xffffffffffffff80,%rsp
0000000000000020 <by_pages>:
  20:\tmov    %rsp,%r11
  23:\tsub    $0x10000,%r11
  2a:\tsub    $0x1000,%rsp
  31:\tmovq   $0x0,(%rsp)
  39:\tcmp    %r11,%rsp
  3c:\tjne    2a <by_pages+0xa>
0000000000000040 <of_any_size>:
  40:\tsub    %rax,%rsp
0000000000000050 <none>:
  50:\tret
";
    let found = frames(text);
    assert_eq!((found["plain"], found["exactly_128"], found["none"]), (8 + 16 + 0x18, 8 + 128, 8));
    assert!(found["by_pages"] > LARGEST && found["of_any_size"] > 1 << 32);
}

/// The size of a thread's stack in bytes.
#[derive(Clone, Copy, Debug)]
enum Stack {
    Smallest = 16 << 10,
    Large = 1 << 20,
}

/// Runs a program of c-tests with its `main` in a thread.
fn run_in_thread(name: &str, library: Library, stack: Stack, dir: &Path) -> Ended {
    let program = dir.join(format!("{name}-{library:?}-{stack:?}"));
    let size = format!("-DSTACK={}", stack as u32);
    let wrapper = root("tests/small_stacks/thread.c");
    let more = [OsStr::new(&size), wrapper.as_os_str(), OsStr::new("-Wl,--wrap=main")];
    compile_with(&root("c-tests").join(format!("{name}.c")), library, &program, &more).unwrap();
    let home = TempDir::new();
    run(library.under(Command::new(program).current_dir(home.path())), SERVED)
}

/// Checks that the program printed what is expected and reported how much of the stack it has used.
fn compare(ours: Ended, wanted: &str) -> Result<(), String> {
    let same = ours.code == Some(0) && ours.stdout == wanted;
    let is_measured = ours.stderr.contains("stack: ");
    if same && is_measured { Ok(()) } else { Err(format!("{ours}\nwanted\n{wanted}")) }
}

/// Checks our output against what the program prints on the original in such a thread, or, where the original
/// is wrong, against the expected output.
fn like_the_original(name: &str, dir: &Path) -> Result<(), String> {
    let ours = run_in_thread(name, Library::Ours, Stack::Smallest, dir);
    if let Ok(expected) = fs::read_to_string(root("c-tests").join(format!("{name}.expected"))) {
        return compare(ours, &expected);
    }
    let original = run_in_thread(name, Library::Original, Stack::Smallest, dir);
    if original.code != Some(0) {
        return Err(format!("on the original: {original}"));
    }
    compare(ours, &original.stdout)
}

/// Runs `check` for each program of c-tests that can run in such a thread.
fn check_all(check: impl Fn(&str, &Path) -> Result<(), String> + Sync) {
    let dir = TempDir::new();
    let mut names = programs_in("c-tests");
    for (name, _) in ELSEWHERE {
        let at = names.iter().position(|found| found == name);
        names.swap_remove(at.unwrap_or_else(|| panic!("{name}.c is not in c-tests")));
    }
    assert!(names.len() > 50, "c-tests is not where it was");
    let names = Mutex::new(names);
    let faults = Mutex::new(Vec::new());
    let next = || names.lock().unwrap().pop();
    // Most of them wait most of the time.
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(name) = next() {
                    faults.lock().unwrap().extend(check(&name, dir.path()).err());
                }
            });
        }
    });
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn the_c_suite_runs_in_threads_with_the_smallest_stack() {
    check_all(like_the_original);
}

/// With another C library there is no original to compare with, and messages differ.
#[test]
#[ignore = "needs a library for musl; see scripts/musl.sh"]
fn the_size_of_the_stack_changes_nothing() {
    check_all(|name, dir| {
        let large = run_in_thread(name, Library::Ours, Stack::Large, dir);
        assert_eq!(large.code, Some(0), "{large}");
        compare(run_in_thread(name, Library::Ours, Stack::Smallest, dir), &large.stdout)
    });
}

/// Starts a worker whose threads have the smallest stack.
fn worker(options: &[&str]) -> Worker {
    let object = TempDir::new();
    let object = object.join("every_thread.so");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o"]).arg(&object);
    run(cc.arg(root("tests/small_stacks/every_thread.c")), LIMIT).must_succeed();
    let preload = format!("LD_PRELOAD={}", object.display());
    let worker = Worker::start_in(&["env", &preload], Library::Ours, Listen::Unix, options);
    assert_eq!(worker.ask(&[("READ", "0")]), "");
    worker
}

/// Threads wait together, with kept connections, and a signal interrupts them every millisecond.
#[test]
fn threads_with_the_smallest_stack_serve_fork_and_shut_down() {
    let worker = worker(&["-t", "3", "-a"]);
    let body: Vec<u8> = (0..1_000_000_u32).map(|at| at as u8).collect();
    let mut kept: Vec<_> = (0..8).map(|_| worker.connect()).collect();
    for _ in 0..3 {
        for connection in &mut kept {
            connection.send(&request(1, true, &[], &body[..70_000]));
            assert!(output(&connection.until_end_of(1)) == body[..70_000]);
        }
    }
    let mut unread = worker.connect();
    unread.send(&request(1, false, &[("READ", "1")], &body));
    assert_eq!(output(&unread.until_closed()), body[..1]);
    assert_eq!(worker.ask(&[("SIZE", "3000000")]).len(), 3_000_000);
    assert_ne!(worker.ask(&[("FORK", "idle")]), "");
    worker.signal(libc::SIGTERM);
    until("the end of all threads", PATIENCE, || (worker.results().len() == 3).then_some(()));
    assert_eq!(worker.results(), [-libc::EINTR; 3]);
}
