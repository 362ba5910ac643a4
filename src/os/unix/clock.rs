//! The clocks.

use std::time::Instant;

/// Returns the time of the monotonic clock.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Returns milliseconds of the monotonic clock, modulo 2^32, as of the kernel's last tick: up to 10 ms
/// late. Cheap, without a system call.
pub(crate) fn milliseconds() -> u32 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec to a place that outlives the call. Without such a clock it
    // stays 0.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut now) };
    (now.tv_sec as u32).wrapping_mul(1000).wrapping_add(now.tv_nsec as u32 / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::sleep;
    use std::time::Duration;

    #[test]
    fn it_goes_on() {
        let before = milliseconds();
        sleep(Duration::from_millis(30));
        assert!((20..10_000).contains(&milliseconds().wrapping_sub(before)));
    }
}
