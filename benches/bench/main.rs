//! `make bench` and `make bench-counts`: our library compared with the original and with a bare loop of
//! system calls. The same compiled programs (this directory's C and C++ files) run on both libraries.
//!
//! Arguments: `counts`, `times` or `waiting`, or none for all of them; then, for a few rows only, a part of
//! their titles. Or `lost` or `ending`, and a number of requests: see [`lost`] and [`ending`]. Or `slow`, and
//! a number of clients: see [`slow`]. Fails if a
//! count exceeds its gate. Without arguments, writes the results to docs/benchmarks.md and
//! docs/benchmarks.svg.

mod chart;
mod counts;
mod cpus;
mod crowd;
mod ending;
mod footprint;
mod load;
mod lost;
mod programs;
mod report;
mod scenario;
mod server;
mod slow;
mod times;
mod waiting;

use std::env;
use std::fs;
use std::process::ExitCode;

use programs::Programs;
use report::{Miss, Table};

/// The text between these lines of docs/benchmarks.md is replaced.
const BEGIN: &str = "<!-- written by make bench -->\n";
const END: &str = "<!-- end -->\n";

/// Parts of the benchmark that can be run alone.
const MODES: [&str; 6] = ["counts", "times", "waiting", "slow", "lost", "ending"];

fn main() -> ExitCode {
    // Cargo adds an option.
    let mut words = env::args().skip(1).filter(|word| !word.starts_with("--")).peekable();
    let mode = words.next_if(|word| MODES.contains(&word.as_str()));
    let only = words.next();
    if mode.as_deref() == Some("ending") {
        for table in ending::count(only.as_deref()) {
            println!("{}", table.terminal());
        }
        return ExitCode::SUCCESS;
    }
    let programs = Programs::build();
    if mode.as_deref() == Some("lost") {
        println!("{}", lost::count(&programs, only.as_deref()).terminal());
        return ExitCode::SUCCESS;
    }
    let does = |what| mode.as_deref().is_none_or(|mode| mode == what);
    let mut misses = Vec::new();
    let mut sections = Vec::new();
    if does("counts") {
        sections.extend(counted(&programs, only.as_deref(), &mut misses));
    }
    if does("times") {
        sections.extend(timed(&programs, only.as_deref()));
    }
    if does("waiting") {
        sections.extend(waited(&programs, only.as_deref()));
    }
    if does("slow") && (mode.is_some() || only.is_none()) {
        let table = slow::measure(only.as_deref());
        sections.push(format!("### Slow clients\n\n{}", show(&table)));
    }
    if mode.is_none() && only.is_none() {
        write_page(&sections);
    }
    for miss in &misses {
        println!("over its gate: {miss}");
    }
    if misses.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints a table and returns it in Markdown.
fn show(table: &Table) -> String {
    println!("{}", table.terminal());
    table.markdown()
}

fn counted(programs: &Programs, only: Option<&str>, misses: &mut Vec<Miss>) -> Vec<String> {
    let (table, missed) = report::counts(&counts::count(programs, only.unwrap_or_default()));
    misses.extend(missed);
    let mut sections = vec![format!("### Counts per request\n\n{}", show(&table))];
    if only.is_none() {
        let (sizes, resident) = (footprint::sizes(programs), footprint::resident(programs));
        let (table, missed) = report::footprint(&sizes, &resident);
        misses.extend(missed);
        sections.push(format!("### Footprint\n\n{}", show(&table)));
    }
    sections
}

fn timed(programs: &Programs, only: Option<&str>) -> Vec<String> {
    let mood = times::mood();
    println!("{mood}\n");
    let rows = times::time(programs, only.unwrap_or_default());
    let table = show(&report::times(&rows));
    let mut sections = vec![format!("### Ratios of times\n\n{mood}\n\n{table}")];
    let unreached = report::unreached(&rows);
    println!("Not reached:\n{unreached}");
    sections.push(format!("### Not reached\n\n{unreached}"));
    if only.is_none() {
        let starts = report::starts(&footprint::starts(programs));
        println!("{starts}\n");
        sections.push(format!("### Starting\n\n{starts}\n"));
        fs::write(testkit::root("docs/benchmarks.svg"), chart::svg(&rows)).unwrap();
    }
    let absolute = show(&report::absolute(&rows));
    sections.push(format!("### What the ratios were made of\n\n{absolute}"));
    sections
}

fn waited(programs: &Programs, only: Option<&str>) -> Vec<String> {
    let mood = waiting::mood();
    println!("{mood}\n");
    let mut sections = vec![format!("### Waiting\n\n{mood}\n")];
    for section in waiting::measure(programs, only.unwrap_or_default()) {
        println!("{}:", section.heading);
        sections.push(format!("#### {}\n\n{}", section.heading, show(&section.table)));
    }
    sections
}

/// Writes the sections to docs/benchmarks.md.
fn write_page(sections: &[String]) {
    let path = testkit::root("docs/benchmarks.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page has a place for results");
    let (_, after) = rest.split_once(END).expect("the place for results has an end");
    let results = sections.join("\n");
    fs::write(&path, format!("{before}{BEGIN}\n{results}\n{END}{after}")).unwrap();
}
