//! Checks README.md and the pages of docs: commands and programs run, links lead somewhere, and README.md has
//! the numbers of the pages that it names.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::{Library, PATIENCE, Running, TempDir, dist, need, root, run, until, words_in};

/// The documents whose links are followed.
const DIRECTORIES: [&str; 5] = ["", "docs", "examples-c", "examples-ffi", "fuzz"];

fn read(path: &str) -> String {
    fs::read_to_string(root(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the section of README.md below a heading.
fn section(heading: &str) -> String {
    let text = read("README.md");
    let (_, rest) = text.split_once(&format!("\n## {heading}\n")).expect(heading);
    rest.split("\n## ").next().unwrap().to_owned()
}

/// Returns a section's code block in a language, with the test's paths instead of README's.
fn block(section: &str, language: &str, dir: &TempDir) -> String {
    let (_, rest) = section.split_once(&format!("\n```{language}\n")).expect(language);
    let (block, _) = rest.split_once("\n```").unwrap();
    let block = block.replace("/tmp/", &format!("{}/", dir.path().display()));
    block.replace("$PWD/", "").replace("target/dist", dist().to_str().unwrap())
}

/// Returns a shell command that runs in a directory.
fn shell(script: &str, dir: &TempDir) -> Command {
    let mut sh = Command::new("sh");
    sh.args(["-e", "-c", script]).current_dir(dir.path()).env_remove("LD_LIBRARY_PATH");
    sh
}

/// Returns a text with every space and line end replaced by one space.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<&str>>().join(" ")
}

#[test]
fn the_readme_has_less_than_150_lines() {
    assert!(read("README.md").lines().count() < 150);
}

/// A process started by spawn-fcgi. A file holds its number.
struct Spawned(PathBuf);

impl Drop for Spawned {
    fn drop(&mut self) {
        let script = format!("kill -s KILL $(cat {})", self.0.display());
        let _ = Command::new("sh").args(["-c", &script]).status();
    }
}

#[test]
fn a_program_is_tried_and_taken_back() {
    need("spawn-fcgi", "/usr/bin/spawn-fcgi");
    need("fcgiwrap", "/usr/sbin/fcgiwrap");
    let dir = TempDir::new();
    let commands = block(&section("Try it on a program that you have, and go back"), "sh", &dir);
    let (make, commands) = commands.split_once('\n').unwrap();
    assert!(make.starts_with("make "), "{make}");
    assert_eq!(commands.lines().count(), 4, "{commands}");
    let (before, after) = commands.split_once("\nkill ").unwrap();

    let _spawned = Spawned(dir.join("app.pid"));
    let ours = dist().join("libfcgi.so.0.0.0").display().to_string();
    let maps = run(&mut shell(before, &dir), PATIENCE).must_succeed();
    assert!(maps.contains(&ours), "{maps}");
    run(&mut shell(&format!("kill {after}"), &dir), PATIENCE).must_succeed();
    let maps = run(&mut shell("grep libfcgi /proc/$(cat app.pid)/maps", &dir), PATIENCE);
    let maps = maps.must_succeed();
    assert!(maps.contains("/libfcgi.so.0") && !maps.contains(&ours), "{maps}");
}

#[test]
fn the_program_of_the_readme_answers() {
    let section = section("Write a program");
    for library in Library::BOTH {
        let dir = TempDir::new();
        let program = block(&section, "c", &dir);
        assert_eq!(program.lines().count(), 12, "{program}");
        fs::write(dir.join("hello.c"), program).unwrap();
        let commands = block(&section, "sh", &dir);
        let [compile, start, ask] = commands.lines().collect::<Vec<_>>()[..] else {
            panic!("not three commands: {commands}")
        };
        run(&mut shell(compile, &dir), PATIENCE).must_succeed();
        let (setting, start) = start.strip_suffix(" &").unwrap().split_once(' ').unwrap();
        assert_eq!(setting, format!("LD_LIBRARY_PATH={}", dist().display()));
        let mut hello = shell(&format!("exec {start}"), &dir);
        let _hello = Running::start(library.under(&mut hello));
        let socket = dir.join("hello.sock");
        until("the listen socket", PATIENCE, || UnixStream::connect(&socket).ok());
        let answer = run(&mut shell(ask, &dir), PATIENCE).must_succeed();
        assert_eq!(answer, "Content-Type: text/plain\r\n\r\nHello from /hello\n", "{library:?}");
    }
}

/// Returns the rows of all tables in a text, each as its cells.
fn rows(text: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).skip(1).collect();
    text.lines().filter(|line| line.starts_with('|')).map(cells).collect()
}

/// Returns the cells after the first one of the row that begins with `first`.
fn cells(page: &str, first: &str) -> Vec<String> {
    let found = rows(&read(page)).into_iter().find(|cells| cells[0] == first);
    found.unwrap_or_else(|| panic!("{page} has no row {first}")).split_off(1)
}

/// Returns a number written with commas.
fn number(text: &str) -> u64 {
    text.replace(',', "").parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// Fails unless README.md has each of these texts.
fn readme_says(texts: &[String]) {
    let readme = one_line(&read("README.md"));
    for text in texts {
        assert!(readme.contains(text), "README.md does not say: {text}");
    }
}

#[test]
fn the_readme_has_the_numbers_of_the_benchmarks() {
    let benchmarks = |row: &str| cells("docs/benchmarks.md", row);
    let each = benchmarks("hello, connection per request, unix");
    let instructions = each[8].strip_prefix("0.").unwrap();
    let kept = benchmarks("hello, kept, one connection");
    let size = benchmarks("size of libfcgi.so, bytes");
    let kilobytes = |bytes: &str| (number(bytes) + 500) / 1000;
    let waiting = benchmarks("prefork, 4 processes, 32 kept");
    let capacity: f64 = waiting[2].split(' ').next().unwrap().parse().unwrap();
    readme_says(&[
        format!("{} system calls and {} heap calls, instead of", each[0], each[3]),
        format!("instead of {} and {}, and {instructions} % of the inst", each[2], each[4]),
        format!("takes {} system calls instead of {}", kept[0], kept[2]),
        format!("{} kB instead of {} kB", kilobytes(&size[0]), kilobytes(&size[2])),
        format!("{:.0} % of their capacity", capacity * 100.0),
    ]);
    // The page describes slower rows in words.
    let missed = one_line(&read("docs/benchmarks.md"));
    for text in ["0.87 to 0.96 of the original's requests/s", "in a session of their own"] {
        assert!(missed.contains(text), "docs/benchmarks.md does not say: {text}");
        readme_says(&[text.to_owned()]);
    }
}

#[test]
fn the_readme_has_the_numbers_of_the_reliability_page() {
    let reliability = |row: &str| cells("docs/reliability.md", row);
    let targets = ["record_reader", "name_value", "answer", "connection", "differential"];
    let executions: u64 = targets.iter().map(|target| number(&reliability(target)[1])).sum();
    let soak = reliability("600");
    let kilobytes = |cell: &str| number(cell.strip_suffix(" KB").unwrap());
    readme_says(&[
        format!("{} million executions of five", executions / 1_000_000),
        format!("{} requests in ten minutes", soak[0]),
        format!(
            "{} KB more memory at the end than after four minutes",
            kilobytes(&soak[4]) - kilobytes(&soak[1])
        ),
    ]);
}

#[test]
fn the_readme_has_the_numbers_of_the_compatibility_page() {
    let page = read("docs/compatibility.md");
    let below = |heading: &str| {
        let (_, rest) = page.split_once(&format!("\n## {heading}\n")).expect(heading);
        rows(rest.split("\n## ").next().unwrap())
    };
    let passed = |row: &Vec<String>| {
        let number = row.get(4).and_then(|cell| cell.split(" ok").next()?.parse::<u64>().ok());
        number.unwrap_or(0)
    };
    let suites: u64 = below("Test suites of others").iter().map(passed).sum();
    readme_says(&[
        format!("{} set-ups, each on both", below("Programs").len() - 2),
        format!("{suites} tests pass on both"),
    ]);
}

/// Every reverse dependency has a test that exists, or the reason why it has none.
#[test]
fn the_compatibility_page_names_tests_of_programs() {
    let page = read("docs/compatibility.md");
    let (_, rest) = page.split_once("\n## Reverse dependencies\n").unwrap();
    let table = rows(rest.split("\n## ").next().unwrap());
    for row in &table[2..] {
        let [package, _, tested, result, ..] = &row[..] else { panic!("{row:?}") };
        let says_why = tested.starts_with("not tested") && tested.contains(": ");
        assert_eq!(says_why, result == "–", "{package}");
        let named: Vec<&str> = tested.split('`').skip(1).step_by(2).collect();
        assert!(says_why || !named.is_empty(), "{package}");
        for name in named.into_iter().filter(|name| !name.starts_with("tests")) {
            let (module, function) = name.split_once("::").unwrap_or(("main", name));
            let source = read(&format!("tests/programs/{module}.rs"));
            assert!(source.contains(&format!("#[test]\nfn {function}() {{")), "no test {name}");
        }
    }
}

/// Counts the unsafe blocks of a directory.
fn unsafe_blocks(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let count = |path: PathBuf| match path.is_dir() {
        true => unsafe_blocks(&path),
        false => fs::read_to_string(&path).unwrap().matches("unsafe {").count(),
    };
    entries.map(count).sum()
}

#[test]
fn the_readme_counts_the_unsafe_blocks() {
    let readme = one_line(&read("README.md"));
    let (before, _) = readme.split_once(" unsafe blocks").unwrap();
    let said: usize = before.rsplit(' ').next().unwrap().parse().unwrap();
    let counted = unsafe_blocks(&root("src"));
    assert!(counted.abs_diff(said) * 20 <= said, "{counted} unsafe blocks, not {said}");
}

/// Returns the anchor of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// Returns the targets of a document's links.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut followed = 0;
    for directory in DIRECTORIES.map(root) {
        let files = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
        for page in files.filter(|path| path.extension().is_some_and(|end| end == "md")) {
            let text = fs::read_to_string(&page).unwrap();
            for link in links(&text) {
                let (path, part) = link.split_once('#').unwrap_or((link, ""));
                let target = if path.is_empty() { page.clone() } else { directory.join(path) };
                assert!(target.exists(), "{}: no file {link}", page.display());
                if !part.is_empty() {
                    let text = fs::read_to_string(&target).unwrap();
                    let mut headings = text.lines().filter(|line| line.starts_with('#'));
                    let found =
                        headings.any(|line| anchor(line.trim_start_matches(['#', ' '])) == part);
                    assert!(found, "{}: no heading {link}", page.display());
                }
                followed += 1;
            }
        }
    }
    assert!(followed > 50, "only {followed} links");
}

/// Words for which there are plainer ones. (include/ and man/ have a longer list: tests/declarations.)
const DIALECT: [&str; 6] = ["nobody", "somebody", "everybody", "whoever", "is told", "for good"];

#[test]
fn documents_and_sources_are_in_plain_english() {
    let mut open: Vec<PathBuf> = vec![root("docs"), root("src"), root("examples-c")];
    let pages = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"];
    let mut files: Vec<PathBuf> = pages.into_iter().map(root).collect();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            files.push(path);
        }
    }
    assert!(files.len() > 100);
    let mut offences = Vec::new();
    for path in files {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        // The name of a test is not prose.
        let found = words_in(&text.replace('_', ""), &DIALECT);
        offences.extend(found.iter().map(|words| format!("{}: {words}", path.display())));
    }
    assert!(offences.is_empty(), "{offences:#?}");
}
