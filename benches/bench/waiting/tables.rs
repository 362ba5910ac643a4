//! The results as tables. A cell with two numbers has the one for the client's session first, then the one
//! for a separate session of the server.

use super::Counted;
use super::calls::Calls;
use super::shape::Beside;
use super::turns::{Row, Sitting};
use super::{newcomers, nginx, prefork};
use crate::report::{Table, calls as number, grouped, spread, verdict};
use crate::server::Contender;
use crate::times::Spread;

const NOTHING: &str = "-";

/// Returns a cell with one text for each session.
fn both<T>(of: &[T], text: impl Fn(&T) -> Option<String>) -> String {
    let cells: Option<Vec<String>> = of.iter().map(text).collect();
    cells.map_or(NOTHING.to_owned(), |cells| cells.join(" / "))
}

fn ratios(row: &Row, ratio: impl Fn(&Sitting) -> Option<Spread>) -> String {
    both(&row.sittings, |sitting| ratio(sitting).map(spread))
}

fn at_least(least: Option<f64>) -> String {
    least.map_or(NOTHING.to_owned(), |least| format!("{least:.2}"))
}

/// Returns the table of preforked processes.
pub(super) fn prefork(rows: &[prefork::Row]) -> Table {
    let mut table = Table::new(&[
        "scenario",
        "requests/s, ours : original",
        "to reach",
        "ours : capacity",
        "to reach",
        "processes at work, of",
        "original's",
        "connections without an answer",
        "original's",
        "reached",
    ]);
    for row in rows {
        let original = |text: &dyn Fn(&prefork::Turns) -> String| {
            row.original.as_ref().map_or(NOTHING.to_owned(), text)
        };
        table.push(vec![
            row.prefork.scenario.title.to_owned(),
            row.ratio().map_or(NOTHING.to_owned(), spread),
            at_least(row.prefork.to_reach.of_original()),
            spread(row.of_capacity()),
            at_least(row.prefork.to_reach.of_capacity()),
            format!("{} of {}", row.ours.least_used(), row.to_use()),
            original(&|turns| turns.least_used().to_string()),
            row.ours.starved.to_string(),
            original(&|turns| turns.starved.to_string()),
            row.is_reached().map_or(NOTHING.to_owned(), verdict),
        ]);
    }
    table
}

/// Returns the table of preforked processes behind nginx.
pub(super) fn behind_nginx(rows: &[nginx::Row]) -> Table {
    let mut table = Table::new(&[
        "scenario",
        "requests/s, ours : original",
        "to reach",
        "requests/s, ours",
        "original's",
        "processes at work, of",
        "original's",
        "clients without an answer",
        "original's",
        "reached",
    ]);
    for row in rows {
        let title = row.shape.prefork.scenario.title.to_owned();
        let Some(row) = &row.measured else {
            let mut cells = vec![title, "nginx is not installed".to_owned()];
            cells.resize(table.columns(), NOTHING.to_owned());
            table.push(cells);
            continue;
        };
        let original = |text: &dyn Fn(&prefork::Turns) -> String| {
            row.original.as_ref().map_or(NOTHING.to_owned(), text)
        };
        table.push(vec![
            title,
            row.ratio().map_or(NOTHING.to_owned(), spread),
            at_least(row.prefork.to_reach.of_original()),
            grouped(row.ours.rate()),
            original(&|turns| grouped(turns.rate())),
            format!("{} of {}", row.ours.least_used(), row.to_use()),
            original(&|turns| turns.least_used().to_string()),
            row.ours.starved.to_string(),
            original(&|turns| turns.starved.to_string()),
            row.is_reached().map_or(NOTHING.to_owned(), verdict),
        ]);
    }
    table
}

/// Returns the table of microseconds from connecting to the end of the answer, during slow requests.
pub(super) fn newcomers(rows: &[newcomers::Row]) -> Table {
    let mut table = Table::new(&[
        "scenario: microseconds",
        "median",
        "original's",
        "p90",
        "original's",
        "maximum",
        "original's",
    ]);
    for row in rows {
        let mut cells = vec![row.scenario.title.to_owned()];
        for percent in [50, 90, 100] {
            for contender in newcomers::CONTENDERS {
                cells.push(both(&row.sittings, |sitting| {
                    Some(grouped(sitting.percentile(contender, percent)))
                }));
            }
        }
        table.push(cells);
    }
    table
}

/// Returns the table of threads and processes: ratios to the original, to the bare loop and to other shapes
/// of ours.
pub(super) fn turns(rows: &[Row]) -> Table {
    let mut table = Table::new(&[
        "scenario",
        "requests/s, ours : original",
        "to reach",
        "ours : bare",
        "to reach",
        "ours : our best with fewer",
        "to reach",
        "ours : ours 4 x 4",
        "reached",
    ]);
    for row in rows {
        let (fewer, first) = match row.shape.beside {
            Beside::Nothing => (NOTHING.to_owned(), NOTHING.to_owned()),
            Beside::First => (NOTHING.to_owned(), ratios(row, |sitting| sitting.beside)),
            Beside::Fewer(_) => (ratios(row, |sitting| sitting.beside), NOTHING.to_owned()),
        };
        table.push(vec![
            row.shape.scenario.title.to_owned(),
            ratios(row, |sitting| sitting.of(Contender::Original)),
            at_least(row.shape.original),
            ratios(row, |sitting| sitting.of(Contender::Bare)),
            at_least(row.shape.bare),
            fewer,
            at_least(row.shape.beside.least()),
            first,
            verdict(row.is_reached()),
        ]);
    }
    table
}

/// Returns the table of system calls (of a run under strace) and switches (without it) per request.
pub(super) fn calls(rows: &[Row], counted: &[Counted]) -> Table {
    let mut table = Table::new(&[
        "scenario",
        "system calls",
        "at most",
        "original",
        "waits",
        "accepts in vain",
        "futex",
        "original's futex",
        "switches",
        "original's switches",
        "holds",
    ]);
    for counted in counted {
        let of = |calls: Option<&Vec<Calls>>, which: &dyn Fn(&Calls) -> f64| {
            calls.map_or(NOTHING.to_owned(), |all| both(all, |calls| Some(number(which(calls)))))
        };
        let ours = |which: &dyn Fn(&Calls) -> f64| of(Some(&counted.ours), which);
        let original = |which: &dyn Fn(&Calls) -> f64| of(counted.original.as_ref(), which);
        let row = rows.iter().find(|row| std::ptr::eq(row.shape, counted.shape));
        let switches = |contender| {
            row.map_or(NOTHING.to_owned(), |row| {
                both(&row.sittings, |sitting| {
                    sitting.turns(contender).map(|turns| number(turns.switches()))
                })
            })
        };
        let most = counted.shape.calls;
        let holds = most.map(|most| counted.ours.iter().all(|calls| calls.all <= most + 0.005));
        table.push(vec![
            counted.shape.scenario.title.to_owned(),
            ours(&|calls| calls.all),
            at_least(most),
            original(&|calls| calls.all),
            ours(&|calls| calls.waits),
            ours(&|calls| calls.in_vain),
            ours(&|calls| calls.futex),
            original(&|calls| calls.futex),
            switches(Contender::Ours),
            switches(Contender::Original),
            holds.map_or(NOTHING.to_owned(), verdict),
        ]);
    }
    table
}

/// Returns the table of the numbers behind the ratios, on one machine on one day.
pub(super) fn absolute(rows: &[Row]) -> Table {
    let mut table = Table::new(&["scenario: requests/s", "ours", "original", "bare"]);
    for row in rows {
        let rate = |contender| {
            both(&row.sittings, |sitting| {
                sitting.turns(contender).map(|turns| grouped(turns.rate()))
            })
        };
        table.push(vec![
            row.shape.scenario.title.to_owned(),
            rate(Contender::Ours),
            rate(Contender::Original),
            rate(Contender::Bare),
        ]);
    }
    table
}
