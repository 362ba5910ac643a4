//! Threads in reserve: they do not wait in the pool, because enough others do.
//!
//! For each connection the kernel wakes a thread that waits in the pool. Its wake-up wakes the next as
//! long as the connection is not accepted: the more threads wait there, the more wake up without work. So
//! only [`MOST_SLEEPERS`](super::patience::MOST_SLEEPERS) wait there. The last one that leaves calls one
//! from the reserve, so that one waits in the pool as long as any thread is idle.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use once_cell::sync::OnceCell;

use crate::os::memory::NoMemory;
use crate::os::semaphore::Semaphore;

/// The reserve of one pool.
#[derive(Debug)]
pub(super) struct Reserve {
    /// Threads that wait here and were not called. Threads that were cancelled here are counted, too: a
    /// call for one of them lets the next thread that enters return immediately.
    waiting: AtomicU32,
    semaphore: OnceCell<Semaphore>,
}

impl Reserve {
    pub(super) const fn new() -> Self {
        Self { waiting: AtomicU32::new(0), semaphore: OnceCell::new() }
    }

    /// Counts a thread that is going to wait here. Fails if out of memory.
    pub(super) fn enter(&self) -> Result<(), NoMemory> {
        self.semaphore.get_or_try_init(Semaphore::new)?;
        self.waiting.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Returns how many threads wait.
    pub(super) fn number(&self) -> u32 {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Waits until the thread is called. Fails with `TimedOut` after `longest`, with `Interrupted` after
    /// a signal.
    pub(super) fn wait(&self, longest: Duration) -> io::Result<()> {
        let Some(semaphore) = self.semaphore.get() else { return Ok(()) };
        let result = semaphore.wait(longest);
        if result.is_err() && !self.leave() {
            // It was called at the last moment: no other thread may take that call.
            let _ = semaphore.wait(Duration::ZERO);
        }
        result
    }

    /// Removes a thread from the count. Returns false if none was counted.
    fn leave(&self) -> bool {
        let less = |waiting: u32| waiting.checked_sub(1);
        self.waiting.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok()
    }

    /// Calls one thread, if any waits.
    pub(super) fn call_one(&self) {
        if self.number() > 0 && self.leave() {
            self.semaphore.get().into_iter().for_each(Semaphore::post);
        }
    }

    /// Calls all threads that wait.
    pub(super) fn call_all(&self) {
        for _ in 0..self.number() {
            self.call_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind::TimedOut;

    #[test]
    #[cfg_attr(miri, ignore = "no sem_timedwait in Miri")]
    fn each_call_is_for_one_thread() {
        let reserve = Reserve::new();
        reserve.call_one();
        std::thread::scope(|scope| {
            let enter = || {
                reserve.enter().unwrap();
                scope.spawn(|| reserve.wait(Duration::from_secs(60)).unwrap())
            };
            let threads = [enter(), enter(), enter()];
            reserve.call_one();
            assert_eq!(reserve.number(), 2);
            reserve.call_all();
            assert_eq!(reserve.number(), 0);
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
    }

    #[test]
    #[cfg_attr(miri, ignore = "no sem_timedwait in Miri")]
    fn a_thread_that_is_not_called_comes_back_in_time() {
        let reserve = Reserve::new();
        reserve.enter().unwrap();
        let result = reserve.wait(Duration::from_millis(10)).map_err(|error| error.kind());
        assert_eq!((result, reserve.number()), (Err(TimedOut), 0));
    }
}
