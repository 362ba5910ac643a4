//! Every function of the C API, in every situation of its parameters (NULL, closed, foreign, wrong
//! direction, before FCGX_Init and more), has the same outcome on both libraries, except for the
//! differences in tests/edges/differences.

mod calls;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use testkit::{LIMIT, Library, TempDir, compile_with, root, run};

/// The number of programs that run at the same time. Most of their time is spent waiting.
const AT_ONCE: usize = 8;

/// One line of the table: function, situation and outcome.
type Case = [String; 3];

fn fields<const N: usize>(line: &str) -> [String; N] {
    let fields: Vec<String> = line.split(" | ").map(str::to_owned).collect();
    fields.try_into().unwrap_or_else(|_| panic!("not {N} fields: {line}"))
}

/// Returns all cases of one function on one library.
fn cases(program: &Path, function: &str, library: Library) -> Vec<Case> {
    let dir = TempDir::new();
    let mut command = Command::new(program);
    command.arg(function).current_dir(dir.path());
    let said = run(library.under(&mut command), LIMIT).must_succeed();
    said.lines().map(fields).collect()
}

/// Returns whether a text matches a pattern in which "*" stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
    }
    text.ends_with(last)
}

/// A listed difference.
struct Difference {
    pattern: [String; 5],
}

impl Difference {
    fn fits(&self, [function, situation, original]: &Case, ours: &str) -> bool {
        let [functions, situations, originals, all_ours, _] = &self.pattern;
        let is_bad = ["signal ", "exit ", "waits"].iter().any(|bad| ours.starts_with(bad));
        fits(functions, function)
            && fits(situations, situation)
            && fits(originals, original)
            && fits(all_ours, ours)
            && !is_bad
    }
}

fn listed() -> Vec<Difference> {
    let text = fs::read_to_string(root("tests/edges/differences")).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| Difference { pattern: fields(line) }).collect()
}

/// Returns all cases of all functions on both libraries, the original's first.
fn all_cases(program: &Path, functions: &[String]) -> [Vec<Case>; 2] {
    let jobs = Library::BOTH
        .into_iter()
        .flat_map(|library| (0..functions.len()).map(move |number| (library, number)));
    let (jobs, done) = (Mutex::new(jobs), Mutex::new([BTreeMap::new(), BTreeMap::new()]));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some((library, number)) = jobs.lock().unwrap().next() else { return };
                    let cases = cases(program, &functions[number], library);
                    assert!(!cases.is_empty(), "{} was not tried", functions[number]);
                    let which = usize::from(library == Library::Ours);
                    done.lock().unwrap()[which].insert(number, cases);
                }
            });
        }
    });
    done.into_inner().unwrap().map(|cases| cases.into_values().flatten().collect())
}

#[test]
fn the_same_but_for_what_is_listed() {
    let dir = TempDir::new();
    let functions = calls::functions();
    fs::write(dir.join("calls.h"), calls::calls(&functions)).unwrap();
    let program = dir.join("edges");
    let include = format!("-I{}", dir.path().display());
    compile_with(&root("tests/edges/edges.c"), Library::Ours, &program, &[&include]).unwrap();

    let names: Vec<String> = functions.into_iter().map(|function| function.name).collect();
    let differences = listed();
    let mut occurred = BTreeSet::new();
    let mut unlisted = String::new();
    let [original, ours] = all_cases(&program, &names);
    assert_eq!(original.len(), ours.len());
    for (case, [function, situation, ours]) in original.into_iter().zip(ours) {
        assert_eq!([&function, &situation], [&case[0], &case[1]]);
        if case[2] == ours {
            continue;
        }
        match differences.iter().position(|difference| difference.fits(&case, &ours)) {
            Some(number) => drop(occurred.insert(number)),
            None => unlisted += &format!("{}\n  ours {ours}\n", case.join(" | ")),
        }
    }
    assert!(unlisted.is_empty(), "not listed:\n{unlisted}");
    for (number, difference) in differences.iter().enumerate() {
        assert!(occurred.contains(&number), "does not occur: {}", difference.pattern.join(" | "));
    }
}

/// The functions of the headers are exactly the exported ones.
#[test]
fn every_function_is_tried() {
    let list = fs::read_to_string(root("abi/libfcgi.so.0.symbols")).unwrap();
    let exported = list.lines().filter_map(|line| line.strip_suffix(" function"));
    let declared = calls::functions();
    let declared: BTreeSet<&str> = declared.iter().map(|function| &*function.name).collect();
    assert_eq!(exported.collect::<BTreeSet<&str>>(), declared);
}

#[test]
fn every_difference_has_its_row() {
    let table = fs::read_to_string(root("docs/differences.md")).unwrap();
    for difference in listed() {
        let row = format!("\n| {} | ", difference.pattern[4]);
        assert!(table.contains(&row), "docs/differences.md has no row {row}");
    }
}

#[test]
fn patterns() {
    for (pattern, text) in [("a*", "a"), ("*", ""), ("*b", "ab"), ("a*c*e", "abcde"), ("a", "a")] {
        assert!(fits(pattern, text), "{pattern} {text}");
    }
    for (pattern, text) in [("a*", "b"), ("a", "ab"), ("*b", "ba"), ("a*c*e", "abde")] {
        assert!(!fits(pattern, text), "{pattern} {text}");
    }
}
