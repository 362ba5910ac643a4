//! Steady traffic through the API for Rust programs allocates nothing. The stores of spare memory belong to the
//! process, so this is the only test of its program.

#[path = "rust_api/server.rs"]
mod server;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::sync::mpsc::channel;

use fcgi::{Parts, Request};
use server::Server;
use testkit::wire::{output, request};

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// Counts the allocations of each thread.
struct Counting;

// SAFETY: all calls go to the system's allocator; the count is a thread's own, without a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's layout.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the place is from the system's allocator, with the same layout.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static HEAP: Counting = Counting;

#[test]
fn requests_on_kept_and_new_connections_allocate_nothing() {
    const WARM_UP: u16 = 20;
    let (report, reports) = channel();
    let (mut before, mut number) = (0, 0);
    let server = Server::start(move |mut request: Request| {
        number += 1;
        if number == WARM_UP {
            before = COUNT.get();
        }
        if request.param("LAST").is_some() {
            report.send(COUNT.get() - before).unwrap();
        }
        let Parts { mut body, mut out, mut log, .. } = request.parts();
        let mut buffer = [0; 1000];
        let n = body.read(&mut buffer).unwrap();
        out.write_all(&buffer[..n]).unwrap();
        log.write_all(b"logged").unwrap();
        // More than the first buffer holds.
        (0..30).for_each(|_| out.write_all(&buffer[..600]).unwrap());
        request.end(0).unwrap();
    });
    let mut kept = server.connect();
    for id in 1..=200_u16 {
        let body = format!("{id}");
        let new = output(&server.exchange(&request(id, false, &[("A", "b")], body.as_bytes())));
        let list: &[(&str, &str)] = if id == 200 { &[("LAST", "")] } else { &[("A", "b")] };
        kept.send(&request(id, true, list, body.as_bytes()));
        for answer in [new, output(&kept.until_end_of(id))] {
            assert!(answer.starts_with(body.as_bytes()));
            assert_eq!(answer.len(), body.len() + 30 * 600);
        }
    }
    assert_eq!(reports.recv().unwrap(), 0, "allocations in 380 requests");
}
