//! Checks which functions of ours can panic. The library is linked again as libfcgi.a is, but with its
//! symbols. What remains then is reachable. Each reference to Rust's panic functions, from a function of ours
//! or from code of std that was compiled into it, must be in `no_panic/allowed`. That file says why the panic
//! cannot happen or cannot be avoided. std's own functions are not searched.
//!
//! The API for Rust programs is not in that library. Its functions are searched in the crate's own object.

use std::collections::BTreeSet;
use std::fs;

use testkit::{disassembly, disassembly_for_rust, root};

/// Functions that begin a panic, or that end the process when it is out of memory.
const PANICS: [&str; 10] = [
    "core::panicking::",
    "core::option::unwrap_failed",
    "core::option::expect_failed",
    "core::result::unwrap_failed",
    "core::cell::panic_",
    "core::slice::index::slice_",
    "core::str::slice_error_fail",
    "alloc::alloc::handle_alloc_error",
    "alloc::raw_vec::handle_error",
    "std::thread::local::panic",
];

/// What std's vectors call when they cannot grow. Never inlined.
const GROWTH: [&str; 2] = ["::grow_one", "::do_reserve_and_handle"];

/// Returns a name without the parts that differ from build to build.
fn plain(name: &str) -> &str {
    let end = name.rfind("::h").filter(|at| name.len() == at + 19).unwrap_or(name.len());
    &name[..end]
}

fn is_ours(function: &str) -> bool {
    function.contains("fcgi::")
        || ["FCGX_", "FCGI_", "OS_"].iter().any(|start| function.starts_with(start))
}

/// Returns pairs of a function of ours and a panic that it refers to.
fn references(text: &str) -> BTreeSet<(String, String)> {
    let (mut found, mut function) = (BTreeSet::new(), "");
    for line in text.lines() {
        if let Some((_, name)) = line.strip_suffix(">:").and_then(|line| line.split_once(" <")) {
            function = plain(name);
        } else if let Some((_, target)) =
            line.split_once("R_").and_then(|(_, r)| r.split_once('\t'))
        {
            let target = target.rsplit_once(['-', '+']).map_or(target, |(name, _)| name);
            let target = plain(target);
            let panics = PANICS.iter().any(|panic| target.starts_with(panic))
                || GROWTH.iter().any(|growth| target.ends_with(growth));
            if is_ours(function) && panics {
                found.insert((function.to_owned(), target.to_owned()));
            }
        }
    }
    found
}

/// Returns the lines `FUNCTION <- PANIC: why`; other lines are comments.
fn allowed() -> BTreeSet<(String, String)> {
    let text = fs::read_to_string(root("tests/no_panic/allowed")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let entry = |line: &str| {
        let (function, rest) = line.split_once(" <- ").expect("FUNCTION <- PANIC: why");
        let (panic, why) = rest.split_once(": ").expect("FUNCTION <- PANIC: why");
        assert!(!why.trim().is_empty(), "{line}: why?");
        (function.to_owned(), panic.to_owned())
    };
    lines.map(entry).collect()
}

#[test]
fn no_function_of_ours_can_panic_but_those_that_are_listed() {
    let text = disassembly();
    // The search works: std's code has many references to it.
    assert!(text.contains("core::panicking::panic_fmt"), "no panic at all: look at this test");
    let (found, allowed) = (references(&text), allowed());
    let lines = |these: &BTreeSet<_>, others| -> Vec<String> {
        let line = |(function, panic): &(String, String)| format!("{function} <- {panic}");
        these.difference(others).map(line).collect()
    };
    let (new, gone) = (lines(&found, &allowed), lines(&allowed, &found));
    assert!(new.is_empty(), "these can panic:\n{}", new.join("\n"));
    assert!(gone.is_empty(), "these cannot panic any more:\n{}", gone.join("\n"));
}

/// Where the functions are that only Rust programs reach.
const FOR_RUST: [&str; 2] = ["fcgi::api::", "fcgi::serve::closing::"];

#[test]
fn no_function_for_rust_programs_can_panic() {
    let text = disassembly_for_rust();
    // The search works: these are there.
    for name in ["request::Request::end", "socket::ListenSocket::accept_until", "input::Body as "] {
        assert!(text.contains(&format!("fcgi::api::{name}")), "no {name}");
    }
    let mut found = references(&text);
    found.retain(|(function, _)| FOR_RUST.iter().any(|place| function.contains(place)));
    assert!(found.is_empty(), "these can panic: {found:#?}");
}
