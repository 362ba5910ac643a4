//! The clocks: virtual time.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::kernel::tasks::with;

/// Returns the time at which every world begins.
fn begin() -> Instant {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    *BEGIN.get_or_init(Instant::now)
}

pub fn now() -> Instant {
    begin() + with(|kernel| kernel.now)
}

/// The number of milliseconds between two ticks of the kernel.
const TICK: u32 = 4;

/// Returns the time of the last tick.
pub fn milliseconds() -> u32 {
    with(|kernel| kernel.now).as_millis() as u32 / TICK * TICK
}

/// Returns the deadline of a wait.
pub fn end_of(timeout: Option<Duration>) -> Option<Duration> {
    // The kernel counts in milliseconds and never ends a wait early.
    let whole =
        |timeout: Duration| Duration::from_millis(timeout.as_micros().div_ceil(1000) as u64);
    timeout.map(|timeout| with(|kernel| kernel.now) + whole(timeout))
}
