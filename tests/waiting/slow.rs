//! One thread with an event loop, and a thousand clients that send and read at 1 KB/s.

use std::time::Duration;

use testkit::allow_descriptors;
use testkit::slow::beside_slow_clients;
use testkit::turns::alone;

const CLIENTS: usize = 1000;

/// The default of LIBFCGI_OUTPUT_BUFFER.
const OUTPUT_BUFFER: usize = 65_536;

/// What a connection and a request in progress take besides: buffers of 8 KB and what the program has for it.
const REQUEST: usize = 48 << 10;

/// The fast client is served, and the program's memory follows from the number of requests in progress: a slow
/// reader's response fills its output buffer and no more.
#[test]
fn a_thousand_slow_clients_and_a_fast_one() {
    let _turn = alone();
    allow_descriptors(4096);
    let measured = beside_slow_clients(CLIENTS, Duration::from_secs(2));
    println!("{measured:?}");
    assert!(measured.beside.requests > 200, "{measured:?}");
    assert!(measured.beside.p99 < super::AT_MOST, "{measured:?}");
    let most = CLIENTS * REQUEST + CLIENTS / 2 * OUTPUT_BUFFER;
    assert!(measured.grown < most, "{} of {most} bytes: {measured:?}", measured.grown);
}
