//! What README.md and the pages of docs say: commands and programs are run, links lead somewhere, and
//! README.md has the numbers of the pages that it names.

mod support;

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{Library, PATIENCE, Running, TempDir, dist, need, root, run, until};

/// The documents whose links are followed.
const DIRECTORIES: [&str; 4] = ["", "docs", "examples-c", "fuzz"];

fn read(path: &str) -> String {
    fs::read_to_string(root(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the section of README.md below a heading.
fn section(heading: &str) -> String {
    let text = read("README.md");
    let (_, rest) = text.split_once(&format!("\n## {heading}\n")).expect(heading);
    rest.split("\n## ").next().unwrap().to_owned()
}

/// Returns a section's block of code in a language, with the tests' paths in the place of README's.
fn block(section: &str, language: &str, dir: &TempDir) -> String {
    let (_, rest) = section.split_once(&format!("\n```{language}\n")).expect(language);
    let (block, _) = rest.split_once("\n```").unwrap();
    let block = block.replace("/tmp/", &format!("{}/", dir.path().display()));
    block.replace("$PWD/", "").replace("target/dist", dist().to_str().unwrap())
}

/// Makes a command of the shell that runs in a directory.
fn shell(script: &str, dir: &TempDir) -> Command {
    let mut sh = Command::new("sh");
    sh.args(["-e", "-c", script]).current_dir(dir.path()).env_remove("LD_LIBRARY_PATH");
    sh
}

/// Returns a text with one space in the place of each space and end of line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<&str>>().join(" ")
}

#[test]
fn the_readme_has_less_than_150_lines() {
    assert!(read("README.md").lines().count() < 150);
}

/// A process that spawn-fcgi has started; its number is in a file.
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

/// Returns the cells of a table's row, which is found by its first cell.
fn cells(page: &str, first: &str) -> Vec<String> {
    let text = read(page);
    let row = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let mut rows = text.lines().filter(|line| line.starts_with('|')).map(row);
    let found = rows.find(|cells| cells[1] == first);
    found.unwrap_or_else(|| panic!("{page} has no row {first}")).split_off(2)
}

/// Returns a number that is written with commas.
fn number(text: &str) -> u64 {
    text.replace(',', "").parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

#[test]
fn the_numbers_of_the_readme_are_those_of_the_pages() {
    let benchmarks = |row: &str| cells("docs/benchmarks.md", row);
    let (each, kept) = (
        benchmarks("hello, connection per request, unix"),
        benchmarks("hello, kept, one connection"),
    );
    let size = benchmarks("size of libfcgi.so, bytes");
    let kilobytes = |bytes: &str| (number(bytes) + 500) / 1000;
    let waiting = benchmarks("prefork, 4 processes, 32 kept");
    let capacity: f64 = waiting[2].split(' ').next().unwrap().parse().unwrap();
    let targets = ["record_reader", "name_value", "answer", "connection", "differential"];
    let executions = targets.map(|target| number(&cells("docs/reliability.md", target)[1]));
    let soak = cells("docs/reliability.md", "600");
    let growth =
        number(soak[4].strip_suffix(" KB").unwrap()) - number(soak[1].strip_suffix(" KB").unwrap());

    let readme = one_line(&read("README.md"));
    for said in [
        format!("{} system calls and {} heap calls", each[0], each[3]),
        format!("original takes {} and {}, and {} of its", each[2], each[4], each[8]),
        format!("takes {} system calls instead of {}", kept[0], kept[2]),
        format!("{} kB instead of {} kB", kilobytes(&size[0]), kilobytes(&size[2])),
        format!("{:.0} % of what they can do", capacity * 100.0),
        format!("{} million executions of five", executions.iter().sum::<u64>() / 1_000_000),
        format!("{} requests in ten minutes", soak[0]),
        format!("{growth} KB more memory"),
    ] {
        assert!(readme.contains(&said), "README.md does not say: {said}");
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

/// Returns the anchor that a heading has.
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
