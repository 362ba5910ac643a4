//! A semaphore: what lets one waiting thread go on, and needs no descriptor.

use std::cell::UnsafeCell;
use std::fmt;
use std::io;
use std::time::Duration;

use super::io::checked_int;
use super::memory::{NoMemory, boxed};

/// Nanoseconds of a second.
const NANOSECONDS: libc::c_long = 1_000_000_000;

/// Lets a thread go on for each post, now or when it comes to wait.
pub struct Semaphore(Box<UnsafeCell<libc::sem_t>>);

// SAFETY: sem_t is made to be used by several threads at the same time.
unsafe impl Send for Semaphore {}
// SAFETY: as above.
unsafe impl Sync for Semaphore {}

impl Semaphore {
    /// A semaphore without posts.
    pub fn new() -> Result<Self, NoMemory> {
        // SAFETY: sem_t is plain data, for which zero is a value.
        let semaphore = boxed(UnsafeCell::new(unsafe { std::mem::zeroed() }))?;
        // SAFETY: the place is writable, and stays where it is as long as the box lives.
        unsafe { libc::sem_init(semaphore.get(), 0, 0) };
        Ok(Self(semaphore))
    }

    /// Lets one thread go on.
    pub fn post(&self) {
        // SAFETY: it was made by `new`.
        unsafe { libc::sem_post(self.0.get()) };
    }

    /// Waits for a post; `TimedOut` if there is none in time. A signal handler ends it with `Interrupted`. As
    /// in any wait of the kernel's, a thread can be cancelled here.
    pub fn wait(&self, timeout: Duration) -> io::Result<()> {
        let mut end = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the kernel writes one timespec to a place that outlives the call.
        unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut end) };
        let nanoseconds = end.tv_nsec.saturating_add(timeout.subsec_nanos() as _);
        let seconds = timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX);
        end.tv_sec =
            end.tv_sec.saturating_add(seconds).saturating_add((nanoseconds / NANOSECONDS) as _);
        end.tv_nsec = nanoseconds % NANOSECONDS;
        // SAFETY: it was made by `new`; `end` outlives the call.
        checked_int(unsafe { libc::sem_timedwait(self.0.get(), &raw const end) }).map(drop)
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Semaphore")
    }
}

impl Drop for Semaphore {
    fn drop(&mut self) {
        // SAFETY: no thread waits: each has a reference to what owns it.
        unsafe { libc::sem_destroy(self.0.get()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind::TimedOut;

    #[test]
    #[cfg_attr(miri, ignore = "no sem_timedwait in Miri")]
    fn posts_are_kept_until_a_thread_comes() {
        let semaphore = Semaphore::new().unwrap();
        let wait = || semaphore.wait(Duration::from_micros(1)).map_err(|error| error.kind());
        semaphore.post();
        semaphore.post();
        assert_eq!([wait(), wait(), wait()], [Ok(()), Ok(()), Err(TimedOut)]);
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| semaphore.wait(Duration::MAX).map_err(|error| error.kind()));
            semaphore.post();
            assert_eq!(waits.join().unwrap(), Ok(()));
        });
    }
}
