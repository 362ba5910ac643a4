//! Each row of docs/differences.md names its tests. They pass on our library, and either would fail on the
//! original or show that the original behaves differently.

use std::collections::BTreeSet;
use std::fs;

use testkit::root;

/// The page with the table.
const TABLE: &str = "docs/differences.md";

/// A row of the table: a difference and its tests.
struct Row {
    what: String,
    tests: Vec<Test>,
}

/// An entry of the column "test".
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Test {
    /// A program of c-tests.
    Program(String),
    /// A function in a file of tests.
    Function { file: String, name: String },
}

fn read(path: &str) -> String {
    fs::read_to_string(root(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Reads the table, without its headings.
fn rows() -> Vec<Row> {
    let text = read(TABLE);
    let (_, table) = text.split_once("\n| what | the original | libfcgi-rs | test |\n").unwrap();
    let lines = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let mut rows = Vec::new();
    for line in lines.filter(|line| !line.starts_with("| **")) {
        let cells = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")).expect(line);
        let cells: Vec<&str> = cells.split(" | ").collect();
        let [what, original, ours, tests] = cells[..] else { panic!("not four cells: {line}") };
        assert!(!what.is_empty() && !original.is_empty() && !ours.is_empty(), "{line}");
        rows.push(Row { what: what.to_owned(), tests: tests.split(", ").map(test).collect() });
    }
    assert!(!rows.is_empty(), "{TABLE} has no rows");
    rows
}

/// Reads an entry, which is written as code.
fn test(entry: &str) -> Test {
    let name = entry.strip_prefix('`').and_then(|entry| entry.strip_suffix('`'));
    let name = name.unwrap_or_else(|| panic!("no test: {entry:?}"));
    match name.split_once("::") {
        Some((file, name)) => Test::Function { file: file.to_owned(), name: name.to_owned() },
        None => Test::Program(name.to_owned()),
    }
}

/// Returns the rows that a program names in its lines "differs: ROW".
fn named_in(source: &str) -> BTreeSet<String> {
    let comment = source.split("*/").next().unwrap_or_default();
    let lines = comment.lines().map(|line| line.trim_start_matches(['/', ' ', '*']));
    lines.filter_map(|line| line.strip_prefix("differs: ")).map(str::to_owned).collect()
}

/// Returns the programs of a directory, each with the rows that it names.
fn programs(directory: &str, extension: &str) -> Vec<(String, BTreeSet<String>)> {
    let files = fs::read_dir(root(directory)).unwrap().map(|entry| entry.unwrap().path());
    let sources = files.filter(|path| path.extension().is_some_and(|found| found == extension));
    let read = |path: std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, named_in(&fs::read_to_string(&path).unwrap()))
    };
    sources.map(read).collect()
}

/// Returns the path of the tests of that name: a file, or a directory's main.rs.
fn source(file: &str) -> String {
    let path = format!("tests/{file}.rs");
    if root(&path).exists() { path } else { format!("tests/{file}/main.rs") }
}

/// Returns whether a file of tests has a test of that name.
fn is_test(file: &str, name: &str) -> bool {
    // The whole line, because a name may be the beginning of another name.
    let text = read(&source(file));
    // tests/hostile/main.rs makes tests of the second kind; one that is left out there is unused code.
    let kinds = [format!("#[test]\nfn {name}() {{"), format!("fn {name}(program: Program) {{")];
    kinds.iter().any(|kind| text.contains(kind))
}

#[test]
fn every_row_is_listed_once() {
    let mut names = BTreeSet::new();
    for Row { what, .. } in rows() {
        assert!(names.insert(what.clone()), "listed twice: {what}");
    }
}

#[test]
fn every_test_of_a_row_exists() {
    for Row { what, tests } in rows() {
        let mut seen = BTreeSet::new();
        for test in tests {
            match &test {
                Test::Program(name) => {
                    let program = read(&format!("c-tests/{name}.c"));
                    assert!(
                        named_in(&program).contains(&what),
                        "{name}.c has no \"differs: {what}\""
                    );
                }
                Test::Function { file, name } => {
                    assert!(is_test(file, name), "{what}: tests/{file} has no test {name}");
                }
            }
            assert!(seen.insert(test), "{what}: a test is listed twice");
        }
    }
}

/// The page that cites the tests of what the original does.
const ORIGINAL: &str = "docs/original.md";

#[test]
fn every_test_that_the_page_about_the_original_cites_exists() {
    let text = read(ORIGINAL);
    // The page also explains the forms themselves.
    let is_form = |name: &str| name.contains(['*', ' ', '\n']) || name == "FILE::FUNCTION";
    let mut cited = BTreeSet::new();
    for name in text.split('`').skip(1).step_by(2).filter(|name| !is_form(name)) {
        if let Some((file, function)) = name.split_once("::").filter(|(file, _)| is_path(file)) {
            assert!(is_test(file, function), "{ORIGINAL}: there is no test {name}");
        } else if name.starts_with("tests/") || name.starts_with("c-tests/") {
            assert!(root(name).exists(), "{ORIGINAL}: there is no {name}");
        } else {
            continue;
        }
        cited.insert(name);
    }
    assert!(cited.len() > 100, "{ORIGINAL} cites {} tests only", cited.len());
}

/// Returns whether a text can be a path: letters, `_` and `/`.
fn is_path(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphabetic() || "_/".contains(c))
}

#[test]
fn every_difference_of_a_program_is_a_row() {
    let rows = rows();
    for (program, named) in programs("c-tests", "c") {
        let is_its = |row: &&Row| row.tests.contains(&Test::Program(program.clone()));
        let listed = rows.iter().filter(is_its).map(|row| row.what.clone()).collect();
        assert_eq!(named, listed, "{program}.c, and the rows of {TABLE} that name it");
    }
    for (program, named) in programs("tests/cxx", "cpp") {
        for what in named {
            assert!(rows.iter().any(|row| row.what == what), "{program}.cpp: no row {what}");
        }
    }
}
