//! Checks the rules of the project on the text of the source: which layer may name what, where unsafe may
//! occur and that it is explained, that nothing panics, that files stay readable.

mod functions;
mod modules;
mod source;

use std::fs;
use std::path::Path;

use source::{Source, assert_none, files, has_word, names_below, sources};

/// What a layer may name: other layers of this crate, and external crates.
struct Layer {
    name: &'static str,
    layers: &'static [&'static str],
    crates: &'static [&'static str],
}

const LAYERS: [Layer; 6] = [
    Layer { name: "protocol", layers: &["protocol"], crates: &["core"] },
    Layer { name: "os", layers: &["os"], crates: &["core", "std", "libc"] },
    Layer {
        name: "serve",
        layers: &["serve", "protocol", "os"],
        crates: &["core", "std", "once_cell"],
    },
    Layer {
        name: "capi",
        layers: &["capi", "serve", "protocol", "os"],
        crates: &["core", "std", "libc"],
    },
    Layer { name: "api", layers: &["api", "serve", "protocol", "os"], crates: &["core", "std"] },
    Layer { name: "bin", layers: &["protocol", "os"], crates: &["core", "std"] },
];

const CRATES: [&str; 5] = ["core", "std", "alloc", "libc", "once_cell"];

/// Returns the layer that a file belongs to.
fn layer_of(source: &Source) -> Option<&'static Layer> {
    LAYERS.iter().find(|layer| source.path.starts_with(&format!("src/{}/", layer.name)))
}

/// C functions belong to os. fcgi_stdio is about FILE, so C's stdio belongs there.
const MAY_CALL_C: [&str; 2] = ["src/os/", "src/capi/fcgi_stdio"];

#[test]
fn layers_know_only_what_they_may() {
    let mut offences = Vec::new();
    for source in sources() {
        let Some(layer) = layer_of(&source) else { continue };
        let code: String = source.code().map(|(_, code)| format!("{code}\n")).collect();
        // The program uses the crate through the door.
        for root in ["crate", "fcgi::internals"] {
            // In the program, crate:: is the program itself.
            if root == "crate" && layer.name == "bin" {
                continue;
            }
            for name in names_below(&code, root) {
                if !layer.layers.contains(&name) {
                    offences.push(format!("{} names {root}::{name}", source.path));
                }
            }
        }
        for name in CRATES {
            if !names_below(&code, name).is_empty() && !layer.crates.contains(&name) {
                offences.push(format!("{} names {name}", source.path));
            }
        }
        // super:: stays within the layer.
        let depth =
            source.path.matches('/').count() - usize::from(source.path.ends_with("/mod.rs"));
        if layer.name != "bin" && code.contains(&"super::".repeat(depth)) {
            offences.push(format!("{} leaves its layer by super::", source.path));
        }
    }
    assert_none(offences, "a layer names what it must not know");
}

#[test]
fn unsafe_stands_only_in_os_and_capi() {
    let mut offences = Vec::new();
    for source in sources() {
        if !source.path.starts_with("src/os/") && !source.path.starts_with("src/capi/") {
            offences.extend(source.offences(|code| has_word(code, "unsafe")));
        }
    }
    assert_none(offences, "unsafe outside os and capi");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for layer in ["protocol", "serve", "api"] {
        let text = fs::read_to_string(root.join(layer).join("mod.rs")).unwrap();
        assert!(text.contains("\n#![forbid(unsafe_code)]\n"), "{layer} does not forbid unsafe");
    }
}

/// Returns whether the comment above this line's statement, or on the line, says why it is safe.
fn is_explained(lines: &[String], at: usize) -> bool {
    if lines[at].contains("SAFETY:") {
        return true;
    }
    for line in lines[..at].iter().rev().map(|line| line.trim()) {
        if line.starts_with("//") {
            if line.contains("SAFETY:") {
                return true;
            }
        } else if line.is_empty()
            || (!line.starts_with("#[") && line.ends_with([';', '{', '}', ',']))
        {
            return false;
        }
    }
    false
}

#[test]
fn every_unsafe_block_says_why_it_is_safe() {
    let mut offences = Vec::new();
    for source in sources() {
        for (number, code) in source.code() {
            let block = code.contains("unsafe {") || code.contains("unsafe impl");
            if block && !is_explained(&source.lines, number - 1) {
                offences.push(format!("{}:{number}: {}", source.path, code.trim()));
            }
        }
    }
    assert_none(offences, "unsafe without a SAFETY line right above");
}

/// Returns whether a name is a type, a constant or a function that only computes. All others make system
/// calls.
fn is_harmless(name: &str) -> bool {
    matches!(name, "memchr" | "strncmp")
        || name.starts_with("c_")
        || name.ends_with("_t")
        || name == "timeval"
        || name.starts_with(char::is_uppercase)
}

#[test]
fn c_names_stand_only_in_capi_and_c_functions_only_in_os() {
    let mut offences = Vec::new();
    for source in sources() {
        if !source.path.starts_with("src/capi/") {
            let exported = |code: &str| has_word(code, "no_mangle") || code.contains("export_name");
            offences.extend(source.offences(exported));
        }
        if !MAY_CALL_C.iter().any(|place| source.path.starts_with(place)) {
            let code: String = source.code().map(|(_, code)| format!("{code}\n")).collect();
            let names = names_below(&code, "libc").into_iter().filter(|name| !is_harmless(name));
            offences.extend(names.map(|name| format!("{} names libc::{name}", source.path)));
        }
    }
    assert_none(offences, "a C name outside capi, or a call to C outside os");
}

#[test]
fn nothing_panics_and_nothing_exits() {
    let panics = [".unwrap()", ".expect(", "panic!(", "todo!(", "unreachable!(", "unimplemented!("];
    let mut offences = Vec::new();
    for source in sources().iter().filter(|source| !source.path.starts_with("src/bin/")) {
        offences.extend(source.offences(|code| panics.iter().any(|panic| code.contains(panic))));
        // _exit, in a child whose exec failed, is a different word.
        offences.extend(source.offences(|code| has_word(code, "exit") && code.contains("exit(")));
    }
    assert_none(offences, "the library may panic or exit");
}

/// Types that wait for another thread.
const WAITS: [&str; 6] = ["Once::new", "OnceLock", "LazyLock", "RwLock", "Condvar", "Barrier"];

/// Parts of std that hide a lock in a static.
const HIDDEN_LOCKS: [&str; 6] =
    ["stdin()", "stdout()", "stderr()", "println!(", "print!(", "set_var("];

/// The page with a row for each static and the rules for them.
const STATE: &str = "docs/architecture.md";

/// Returns the rows below a heading of docs/architecture.md, without the column names, and cells of code
/// without their backquotes.
fn rows_of_state(heading: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(STATE)).unwrap();
    let (_, section) = text.split_once(&format!("\n### {heading}\n")).unwrap();
    let section = section.split("\n### ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let cells = rows.map(|row| row.split(" | ").map(|cell| cell.trim_matches('`').to_owned()));
    cells.map(Iterator::collect).skip(1).collect()
}

/// Returns the name and the type of a static that this line declares.
fn declared_static(code: &str) -> Option<(&str, &str)> {
    let (before, declared) = code.split_once("static ")?;
    let is_declared = before.trim().is_empty() || before.trim_start().starts_with("pub");
    let (name, kind) = declared.split_once(": ").filter(|_| is_declared)?;
    Some((name.trim_start_matches("mut "), kind))
}

#[test]
fn no_static_has_a_lock_that_a_child_could_find_held() {
    let kinds = rows_of_state("What a static may be");
    let is_allowed = |kind: &str| kinds.iter().any(|row| kind.starts_with(&row[0]));
    let mut offences = Vec::new();
    for source in sources().iter().filter(|source| !source.path.starts_with("src/bin/")) {
        offences.extend(
            source
                .offences(|code| declared_static(code).is_some_and(|(_, kind)| !is_allowed(kind))),
        );
        offences.extend(source.offences(|code| WAITS.iter().any(|word| has_word(code, word))));
        offences
            .extend(source.offences(|code| HIDDEN_LOCKS.iter().any(|call| code.contains(call))));
    }
    assert_none(offences, "a child could wait for a thread that it does not have");
}

#[test]
fn every_static_has_a_row_and_every_row_its_static() {
    let mut declared = Vec::new();
    for source in sources().iter().filter(|source| !source.path.starts_with("src/bin/")) {
        let names = source.code().filter_map(|(_, code)| declared_static(code));
        declared.extend(names.map(|(name, _)| format!("{name} in {}", source.path)));
    }
    let rows = rows_of_state("Statics");
    let complete = |row: &&Vec<String>| row.len() == 6 && row.iter().all(|cell| !cell.is_empty());
    assert_eq!(rows.iter().find(|row| !complete(row)), None, "a row without its six cells");
    let mut listed: Vec<_> =
        rows.iter().map(|row| format!("{} in src/{}", row[0], row[1])).collect();
    declared.sort();
    listed.sort();
    assert_eq!(declared, listed, "the statics of src, and the rows of {STATE}");
}

/// Where the environment is read and replaced, and where it is read for the settings.
const ENVIRONMENT: [(&str, &[&str]); 3] = [
    ("src/os/unix/environment.rs", &["environ", "getenv", "var_os", "env"]),
    ("src/serve/config.rs", &["environment::variable"]),
    ("src/serve/process.rs", &["config::read"]),
];

#[test]
fn the_environment_is_read_in_one_place_when_the_library_begins() {
    let mut offences = Vec::new();
    for source in sources().iter().filter(|source| !source.path.starts_with("src/bin/")) {
        for (path, words) in ENVIRONMENT.iter().filter(|(path, _)| source.path != *path) {
            // Cargo's variables are read by the compiler.
            let read = |code: &str| code.replace("env!(\"CARGO_", "");
            let found =
                source.offences(|code| words.iter().any(|word| has_word(&read(code), word)));
            offences.extend(found.iter().map(|line| format!("{line} (belongs in {path})")));
        }
    }
    assert_none(offences, "a setting could come from a request's parameters");
}

#[test]
fn serve_reads_the_clock_through_os_only() {
    let offences =
        sources().into_iter().filter(|s| s.path.starts_with("src/serve/")).flat_map(|source| {
            source.offences(|code| {
                code.contains("::now()")
                    && !code.contains("clock::now()")
                    && !code.contains("ForkEpoch::now()")
                    || code.contains(".elapsed()")
            })
        });
    assert_none(offences.collect(), "a simulation needs a clock of its own: crate::os::clock");
}

#[test]
fn every_invariant_of_serve_has_its_check() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("src/serve/mod.rs")).unwrap();
    let (_, section) = text.split_once("//! # Invariants\n").unwrap();
    let section = section.split("//! # ").next().unwrap_or_default().replace("//!", "");
    let places = [files("tests/simulation", &["rs"]), files("src/serve", &["rs"])].concat();
    let checks: String = places.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    for invariant in section.split("\n - ").skip(1) {
        let quoted = invariant.split('`').skip(1).step_by(2);
        let names: Vec<_> = quoted.filter(|name| name.contains('_')).collect();
        assert!(!names.is_empty(), "no test checks this: {invariant}");
        for name in names {
            let is_there =
                checks.contains(&format!("(\"{name}\"")) || checks.contains(&format!("fn {name}("));
            assert!(is_there, "there is no {name}, which is to hold: {invariant}");
        }
    }
}

#[test]
fn no_file_is_over_500_lines() {
    let mut offences = Vec::new();
    for dir in
        ["src", "tests", "testkit", "c-tests", "examples", "examples-c", "benches", "scripts"]
    {
        for path in files(dir, &["rs", "c", "h", "cpp", "sh"]) {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            if lines > 500 {
                offences.push(format!("{}: {lines}", path.display()));
            }
        }
    }
    assert_none(offences, "files over 500 lines");
}

#[test]
fn no_file_has_the_name_of_another_but_for_a_letter() {
    let all = files("src", &["rs"]);
    let plural = |path: &Path| {
        path.with_file_name(format!("{}s.rs", path.file_stem().unwrap().to_str().unwrap()))
    };
    let offences = all.iter().filter(|path| all.contains(&plural(path)));
    assert_none(
        offences.map(|path| path.display().to_string()).collect(),
        "and its plural is another file",
    );
}

/// Test programs with real-time limits.
const TAKES_TURNS: [&str; 3] = ["tests/signals.rs", "tests/drain.rs", "tests/waiting"];

#[test]
fn where_tests_have_limits_of_time_each_takes_its_turn() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut checked, mut offences) = (0, Vec::new());
    for place in TAKES_TURNS {
        let alone = Path::new(place).extension().map(|_| vec![root.join(place)]);
        for path in alone.unwrap_or_else(|| files(place, &["rs"])) {
            let text = fs::read_to_string(&path).unwrap();
            for test in text.split("\n#[test]\n").skip(1) {
                checked += 1;
                let first = test.lines().skip_while(|line| !line.ends_with("() {")).nth(1);
                if !first.is_some_and(|line| line.starts_with("    let _turn = ")) {
                    offences.push(format!("{}: {}", path.display(), test.lines().next().unwrap()));
                }
            }
        }
    }
    assert!(checked > 100, "only {checked} tests");
    assert_none(offences, "testkit::turns: alone() or beside_others() comes first");
}

/// The rules above find what they look for.
#[test]
fn the_reader_reads() {
    assert_eq!(names_below("use crate::{os, protocol::{A, B}, serve};", "crate").len(), 3);
    assert_eq!(names_below("x = crate::os::read(fd); y(std::mem::take(z))", "crate"), ["os"]);
    assert_eq!(names_below("my_crate::x(); a::crate::y", "crate"), [""; 0]);
    let paths = source::paths_below("use super::{a::{self, B as C}, d::*};", "super");
    assert_eq!(paths, [vec!["a", "self"], vec!["a", "B"], vec!["d", ""]]);
    let of_static = declared_static("    pub(super) static mut A: Lock<u8> = B;");
    assert_eq!(of_static, Some(("A", "Lock<u8> = B;")));
    assert_eq!(declared_static("fn get() -> &'static Config {"), None);
    assert!(has_word("unsafe { x }", "unsafe") && !has_word("unsafe_code", "unsafe"));
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(is_explained(&lines("// SAFETY: of\n// course.\nlet x =\n    unsafe {"), 3));
    assert!(!is_explained(&lines("// SAFETY: of course.\nlet y = 1;\nunsafe {"), 2));
}
