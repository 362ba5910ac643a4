//! Results as tables, on the terminal and in Markdown, and the rows that exceed their gates.

use std::fmt::Write;

use crate::counts;
use crate::footprint::{Resident, Sizes};
use crate::scenario::{HEAP_CALLS, Instructions, LATE_THREADS, RESIDENT_PER_THREAD, SIZE, START};
use crate::server::Contender;
use crate::times::{self, Spread};

/// A table of text. All columns but the first are aligned to the right.
pub(crate) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &[&'static str]) -> Self {
        Self { head: head.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn columns(&self) -> usize {
        self.head.len()
    }

    fn widths(&self) -> Vec<usize> {
        let width = |at: usize| {
            let cells = self.rows.iter().map(|row| row[at].chars().count());
            cells.chain([self.head[at].chars().count()]).max().unwrap_or(0)
        };
        (0..self.head.len()).map(width).collect()
    }

    fn lines(&self, between: &str, outside: (&str, &str)) -> Vec<String> {
        let widths = self.widths();
        let line = |cells: Vec<&str>| {
            let pad = |(at, cell): (usize, &&str)| match at {
                0 => format!("{cell:width$}", width = widths[0]),
                _ => format!("{cell:>width$}", width = widths[at]),
            };
            let cells: Vec<String> = cells.iter().enumerate().map(pad).collect();
            format!("{}{}{}", outside.0, cells.join(between), outside.1)
        };
        let head = line(self.head.clone());
        let rows = self.rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
        [head].into_iter().chain(rows).collect()
    }

    pub(crate) fn terminal(&self) -> String {
        let lines = self.lines("  ", ("", ""));
        lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
    }

    pub(crate) fn markdown(&self) -> String {
        let mut lines = self.lines(" | ", ("| ", " |"));
        let rule = |(at, width): (usize, usize)| match at {
            0 => format!("|{}", "-".repeat(width + 2)),
            _ => format!("|{}:", "-".repeat(width + 1)),
        };
        let rule: String = self.widths().into_iter().enumerate().map(rule).collect();
        lines.insert(1, rule + "|");
        lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// Formats a number with commas between the thousands.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a number of system calls, with two decimal places if it is not whole.
pub(crate) fn calls(number: f64) -> String {
    if (number - number.round()).abs() < 0.005 {
        format!("{number:.0}")
    } else {
        format!("{number:.2}")
    }
}

pub(crate) fn verdict(holds: bool) -> String {
    if holds { "yes".to_owned() } else { "NO".to_owned() }
}

/// The message about a row that exceeds its gate.
pub(crate) type Miss = String;

/// Returns the table of counts, and the rows that exceed their gates.
pub(crate) fn counts(rows: &[counts::Row]) -> (Table, Vec<Miss>) {
    let mut misses = Vec::new();
    let mut table = Table::new(&[
        "scenario",
        "system calls",
        "gate",
        "original",
        "heap calls",
        "original",
        "instructions",
        "gate",
        "original",
        "ours/original",
        "holds",
    ]);
    for row in rows {
        let (scenario, original) = (row.scenario, &row.original);
        let Some(ours) = &row.ours else {
            misses.push(format!("{}: there is no library of ours to count on", scenario.title));
            continue;
        };
        let most = match scenario.gate.instructions {
            Instructions::AtMost(most) => most,
            Instructions::TimesOriginal(times) => times * original.instructions,
        };
        let before = misses.len();
        let mut check = |what: &str, is: f64, most: f64, detail: &str| {
            if is > most {
                misses
                    .push(format!("{}: {is:.2} {what}, at most {most:.2}{detail}", scenario.title));
            }
        };
        if let Some(gate) = scenario.gate.system_calls {
            // Half a hundredth of tolerance, because sums of fractions are not exact.
            let names = ours.by_name.iter().map(|(name, n)| format!(" {name} {}", calls(*n)));
            let detail = format!(" ({})", names.collect::<String>().trim_start());
            check("system calls", ours.system_calls, gate + scenario.by_chance() + 0.005, &detail);
        }
        let late = if scenario.threads > 1 { LATE_THREADS } else { 0.0 };
        check("heap calls", ours.heap_calls, HEAP_CALLS + late, "");
        check("instructions", ours.instructions, most, "");
        table.push(vec![
            scenario.title.to_owned(),
            calls(ours.system_calls),
            scenario.gate.system_calls.map_or("-".to_owned(), calls),
            calls(original.system_calls),
            calls(ours.heap_calls),
            calls(original.heap_calls),
            grouped(ours.instructions),
            grouped(most),
            grouped(original.instructions),
            format!("{:.2}", ours.instructions / original.instructions),
            verdict(misses.len() == before),
        ]);
    }
    (table, misses)
}

/// Returns the table of sizes and resident memory, and what exceeds its gate. Pages of files have no gate:
/// processes share them, and the kernel chooses how many of them are resident.
pub(crate) fn footprint(sizes: &Sizes, resident: &[Resident]) -> (Table, Vec<Miss>) {
    let mut misses = Vec::new();
    let mut table = Table::new(&["footprint", "ours", "gate", "original", "holds"]);
    let mut row = |what: String, ours: f64, gate: Option<f64>, original: f64| {
        let holds = gate.map(|gate| ours <= gate);
        if let (Some(false), Some(gate)) = (holds, gate) {
            misses.push(format!("{what}: {}, at most {}", grouped(ours), grouped(gate)));
        }
        let (gate, holds) = (gate.map_or("-".to_owned(), grouped), holds.map(verdict));
        let holds = holds.unwrap_or_else(|| "-".to_owned());
        table.push(vec![what, grouped(ours), gate, grouped(original), holds]);
    };
    let (ours, original) = (sizes.ours as f64, sizes.original as f64);
    row("size of libfcgi.so, bytes".to_owned(), ours, Some(SIZE), original);
    for Resident { scenario, ours, original } in resident {
        let gate = original.anonymous + RESIDENT_PER_THREAD * scenario.threads as f64;
        let what = format!("resident memory, {}, KB", scenario.title);
        row(what, ours.anonymous, Some(gate), original.anonymous);
        let what = format!("- with shared pages of files, {}, KB", scenario.title);
        row(what, ours.all, None, original.all);
    }
    (table, misses)
}

pub(crate) fn spread(spread: Spread) -> String {
    format!("{:.2} ({:.2}..{:.2})", spread.median, spread.min, spread.max)
}

/// Returns the table of the ratios of times. They have no gate, because machines differ.
pub(crate) fn times(rows: &[times::Row]) -> Table {
    let mut table = Table::new(&[
        "scenario",
        "requests/s, ours : original",
        "to reach",
        "reached",
        "processor time, ours : original",
        "requests/s, ours : bare",
        "original : bare",
    ]);
    for row in rows {
        table.push(vec![
            row.timed.scenario.title.to_owned(),
            spread(row.ratio()),
            format!("{:.2}", row.timed.to_reach),
            verdict(row.is_reached()),
            spread(row.processor_ratio()),
            spread(row.of_limit(Contender::Ours)),
            spread(row.of_limit(Contender::Original)),
        ]);
    }
    table
}

/// Reports how far each missed target is away, and what the system calls alone would reach.
pub(crate) fn unreached(rows: &[times::Row]) -> String {
    let missed = rows.iter().filter(|row| !row.is_reached());
    let line = |row: &times::Row| {
        format!(
            "- {}: {:.2} instead of {:.2}. The bare loop reaches {:.2}; of the {:.1} microseconds of \
             processor time that ours takes for a request, bare system calls take {:.1} (the original: \
             {:.1}).\n",
            row.timed.scenario.title,
            row.ratio().median,
            row.timed.to_reach,
            row.limit().median,
            row.ours.median_processor(),
            row.bare.median_processor(),
            row.original.median_processor(),
        )
    };
    let list: String = missed.map(line).collect();
    if list.is_empty() { "Every ratio is reached.\n".to_owned() } else { list }
}

/// Returns the table of the numbers behind the ratios, on one machine on one day.
pub(crate) fn absolute(rows: &[times::Row]) -> Table {
    let mut table = Table::new(&[
        "scenario: ours / original / bare",
        "requests/s",
        "processor time, microseconds",
        "p50, microseconds",
        "p99, microseconds",
    ]);
    for row in rows {
        let all = [&row.ours, &row.original, &row.bare];
        let cell = |number: &dyn Fn(&times::Turns) -> String| all.map(number).join(" / ");
        table.push(vec![
            row.timed.scenario.title.to_owned(),
            cell(&|turns| grouped(turns.median_rate())),
            cell(&|turns| format!("{:.1}", turns.median_processor())),
            cell(&|turns| format!("{:.0}", turns.percentile(50))),
            cell(&|turns| format!("{:.0}", turns.percentile(99))),
        ]);
    }
    table
}

/// Returns the sentence about the start of a process.
pub(crate) fn starts((longer, original): &(Spread, Spread)) -> String {
    let mut text = String::new();
    write!(
        text,
        "From fork to the answer of a request that waited already, a process takes {:.2} ms longer \
         with ours (median of pairs; {:.2}..{:.2}) than with the original (median {:.2} ms); \
         at most {START} ms was wanted: {}.",
        longer.median,
        longer.min,
        longer.max,
        original.median,
        if longer.median <= START { "reached" } else { "not reached" }
    )
    .unwrap();
    text
}
