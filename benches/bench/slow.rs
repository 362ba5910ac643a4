//! One thread with an event loop on fcgi_request.h: a fast client alone, and beside many slow ones.

use std::time::Duration;

use crate::report::{Table, grouped};
use testkit::allow_descriptors;
use testkit::slow::{Seen, beside_slow_clients};

/// Slow clients, unless an argument sets another number.
const CLIENTS: usize = 1000;

/// How long the fast client is watched in each row.
const TIME: Duration = Duration::from_secs(5);

/// Measures a fast client and the program's memory.
pub(crate) fn measure(clients: Option<&str>) -> Table {
    let clients = clients.map_or(CLIENTS, |number| number.parse().expect("a number"));
    allow_descriptors(2 * clients + 200);
    let measured = beside_slow_clients(clients, TIME);
    let mut table =
        Table::new(&["slow clients", "median, µs", "p99, µs", "requests/s", "memory of each, KB"]);
    let mut row = |clients: usize, seen: Seen, memory: String| {
        let micros = |time: Duration| grouped(time.as_secs_f64() * 1e6);
        let rate = seen.requests as f64 / TIME.as_secs_f64();
        let numbers = [micros(seen.median), micros(seen.p99), grouped(rate), memory];
        table.push([grouped(clients as f64)].into_iter().chain(numbers).collect());
    };
    row(0, measured.alone, "-".to_owned());
    let each = measured.grown as f64 / clients as f64 / 1024.0;
    row(clients, measured.beside, grouped(each));
    table
}
