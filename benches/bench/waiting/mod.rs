//! Where idle threads, processes and connections wait, in the shapes of real programs: several threads,
//! preforked processes, more clients than either, new connections, nginx in front.

mod calls;
mod newcomers;
mod nginx;
mod prefork;
mod shape;
mod tables;
mod turns;

use std::fs;

use calls::Calls;
use shape::{FAMILIES, Shape};

use crate::programs::Programs;
use crate::report::Table;
use crate::server::{Contender, Session};

/// The calls of a shape of threads, as in [`Session::BOTH`].
struct Counted {
    shape: &'static Shape,
    ours: Vec<Calls>,
    original: Option<Vec<Calls>>,
}

/// A table with its heading.
pub(crate) struct Section {
    pub(crate) heading: &'static str,
    pub(crate) table: Table,
}

/// Measures all rows whose title contains `only`. Tables without rows are left out.
pub(crate) fn measure(programs: &Programs, only: &str) -> Vec<Section> {
    let prefork = prefork::measure(programs, only);
    let behind_nginx = nginx::measure(programs, only);
    let newcomers = newcomers::measure(programs, only);
    let families = FAMILIES.iter().flat_map(|family| turns::measure(programs, family, only));
    let rows: Vec<turns::Row> = families.collect();
    let of_threads = rows.iter().filter(|row| row.shape.scenario.processes == 0);
    let counted: Vec<Counted> = of_threads
        .map(|row| {
            let count = |contender| {
                let count = |session| {
                    calls::count(programs, &row.family.cpus(), row.shape, contender, session)
                };
                Session::BOTH.map(count).to_vec()
            };
            Counted {
                shape: row.shape,
                ours: count(Contender::Ours),
                original: row.shape.original.map(|_| count(Contender::Original)),
            }
        })
        .collect();
    let sections = [
        Section { heading: "Preforked processes", table: tables::prefork(&prefork) },
        Section { heading: "Behind nginx", table: tables::behind_nginx(&behind_nginx) },
        Section { heading: "Newcomers", table: tables::newcomers(&newcomers) },
        Section { heading: "Threads and processes", table: tables::turns(&rows) },
        Section { heading: "How threads wait", table: tables::calls(&rows, &counted) },
        Section { heading: "What these ratios were made of", table: tables::absolute(&rows) },
    ];
    sections.into_iter().filter(|section| !section.table.is_empty()).collect()
}

/// Describes whether sessions matter on this machine.
pub(crate) fn mood() -> String {
    let is_on = fs::read_to_string("/proc/sys/kernel/sched_autogroup_enabled")
        .is_ok_and(|text| text.trim() == "1");
    let verb = if is_on { "schedules" } else { "does not schedule" };
    format!("The kernel {verb} sessions as groups (autogroup).")
}
