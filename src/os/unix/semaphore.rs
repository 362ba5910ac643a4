//! A semaphore: wakes one waiting thread at a time, without a descriptor.

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::fmt;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};
use std::time::Duration;

use super::memory::{NoMemory, boxed};
use super::syscall::checked;

/// Nanoseconds in a second.
const NANOSECONDS: libc::c_long = 1_000_000_000;

/// Releases one thread for each post, whether the thread waits already or comes later.
pub(crate) struct Semaphore(Box<UnsafeCell<libc::sem_t>>);

// SAFETY: POSIX allows several threads to use a sem_t at the same time, wherever it was made.
unsafe impl Send for Semaphore {}
// SAFETY: POSIX allows several threads to use a sem_t at the same time.
unsafe impl Sync for Semaphore {}

impl Semaphore {
    /// Makes a semaphore without posts.
    pub(crate) fn new() -> Result<Self, NoMemory> {
        // SAFETY: sem_t is plain data, for which zero is a value.
        let semaphore = boxed(UnsafeCell::new(unsafe { std::mem::zeroed() }))?;
        // SAFETY: the memory is writable, and the box keeps it in place.
        unsafe { libc::sem_init(semaphore.get(), 0, 0) };
        Ok(Self(semaphore))
    }

    /// Releases one thread.
    pub(crate) fn post(&self) {
        // SAFETY: the semaphore was made by `new`.
        unsafe { libc::sem_post(self.0.get()) };
    }

    /// Waits for a post; `TimedOut` if none comes in time. A signal handler ends the wait with
    /// `Interrupted`. A cancellation point.
    pub(crate) fn wait(&self, timeout: Duration) -> io::Result<()> {
        let place = self.0.get();
        let result = match clock_wait() {
            Some(wait) => {
                let end = end_of(timeout, libc::CLOCK_MONOTONIC);
                // SAFETY: the semaphore was made by `new`; `end` outlives the call.
                unsafe { wait(place, libc::CLOCK_MONOTONIC, &raw const end) }
            }
            None => {
                let end = end_of(timeout, libc::CLOCK_REALTIME);
                // SAFETY: the semaphore was made by `new`; `end` outlives the call.
                unsafe { libc::sem_timedwait(place, &raw const end) }
            }
        };
        checked(result).map(drop)
    }
}

/// Returns the deadline of a wait that begins now.
fn end_of(timeout: Duration, clock: libc::clockid_t) -> libc::timespec {
    let mut end = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec to a place that outlives the call.
    unsafe { libc::clock_gettime(clock, &raw mut end) };
    let nanoseconds = end.tv_nsec.saturating_add(timeout.subsec_nanos() as _);
    let seconds = timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX);
    end.tv_sec =
        end.tv_sec.saturating_add(seconds).saturating_add((nanoseconds / NANOSECONDS) as _);
    end.tv_nsec = nanoseconds % NANOSECONDS;
    end
}

/// sem_clockwait(3).
type ClockWait =
    unsafe extern "C" fn(*mut libc::sem_t, libc::clockid_t, *const libc::timespec) -> libc::c_int;

/// Returns sem_clockwait, where the C library has it (glibc 2.30 and later): setting the system's time does
/// not affect its waits.
fn clock_wait() -> Option<ClockWait> {
    // Not a OnceLock: a child must not wait for a thread that it does not have. Looking twice is harmless.
    static WAIT: AtomicPtr<c_void> = AtomicPtr::new(&raw const NOT_ASKED as *mut c_void);
    let mut place = WAIT.load(Ordering::Acquire);
    if ptr::eq(place, (&raw const NOT_ASKED).cast()) {
        // SAFETY: the name ends in NUL; dlsym returns NULL for a name that it does not find.
        place = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"sem_clockwait".as_ptr()) };
        WAIT.store(place, Ordering::Release);
    }
    // SAFETY: NULL, or the C library's function, which is documented with this type.
    unsafe { std::mem::transmute::<*mut c_void, Option<ClockWait>>(place) }
}

/// Its address stands for a function that was not looked up yet.
static NOT_ASKED: AtomicU8 = AtomicU8::new(0);

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Semaphore")
    }
}

impl Drop for Semaphore {
    fn drop(&mut self) {
        // SAFETY: no thread waits: a waiting thread has a reference to this semaphore's owner.
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
