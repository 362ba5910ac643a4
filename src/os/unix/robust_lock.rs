//! A robust lock, in the sense of POSIX: it survives the end of the thread that holds it.
//!
//! The lock is held during system calls that may block. There a thread can be cancelled or leave by
//! siglongjmp, and after fork a child does not have the other threads. So the lock records its owner. A
//! thread takes the lock over if the owner is not a thread of this process any more, and continues if
//! it is itself the owner.
//!
//! An uncontended lock is released by a plain store, which may become visible only after the owner has
//! checked for waiting threads. A thread that starts to wait in that interval is not woken, so each
//! waiting thread checks again at intervals.

use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::{poll, threads};

/// The bit of the owner word that says that another thread waits for the lock.
const CONTENDED: u32 = 1 << 31;

/// The interval at which a waiting thread checks whether the lock is free or its owner gone.
const RECHECK: Duration = Duration::from_millis(20);

/// A lock without a value. In a process with one thread, taking it costs one check; otherwise, without
/// contention, one atomic operation.
#[derive(Debug, Default)]
pub(crate) struct RobustLock {
    /// The owner's thread id, with [`CONTENDED`] if other threads wait; 0 if free.
    owner: AtomicU32,
}

/// Holds a [`RobustLock`] while it lives.
#[derive(Debug)]
#[must_use]
pub(crate) struct Held<'a> {
    /// The lock and the thread that holds it; `None` in a process with one thread.
    lock: Option<(&'a RobustLock, u32)>,
}

impl Held<'_> {
    /// Returns whether another thread may want the lock: the process had several when it was taken.
    pub(crate) fn has_others(&self) -> bool {
        self.lock.is_some()
    }
}

impl RobustLock {
    /// Returns a free lock.
    pub(crate) const fn new() -> Self {
        Self { owner: AtomicU32::new(0) }
    }

    /// Takes the lock, waiting until no other thread holds it.
    #[inline]
    pub(crate) fn lock(&self) -> Held<'_> {
        if threads::only_one() {
            return Held { lock: None };
        }
        let me = threads::id();
        if !self.replace(0, me) {
            self.wait(me);
        }
        Held { lock: Some((self, me)) }
    }

    /// Takes the lock unless another thread holds it.
    pub(crate) fn try_lock(&self) -> Option<Held<'_>> {
        if threads::only_one() {
            return Some(Held { lock: None });
        }
        let me = threads::id();
        let is_mine = self.replace(0, me) || self.take_over(self.owner.load(Ordering::SeqCst), me);
        is_mine.then(|| Held { lock: Some((self, me)) })
    }

    fn replace(&self, old: u32, new: u32) -> bool {
        self.owner.compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Takes the lock from an owner that can no longer release it. The next release wakes a waiting thread.
    fn take_over(&self, held: u32, me: u32) -> bool {
        let owner = held & !CONTENDED;
        let is_left = owner != 0 && (owner == me || !threads::exists(owner));
        is_left && self.replace(held, me | CONTENDED)
    }

    #[cold]
    fn release_to_waiter(&self) {
        self.owner.store(0, Ordering::SeqCst);
        futex_wake_one(&self.owner);
    }

    #[cold]
    fn wait(&self, me: u32) {
        loop {
            let held = self.owner.load(Ordering::SeqCst);
            if held == 0 {
                // Other threads may wait, too.
                if self.replace(0, me | CONTENDED) {
                    return;
                }
            } else if self.take_over(held, me) {
                return;
            } else if held & CONTENDED != 0 || self.replace(held, held | CONTENDED) {
                futex_wait(&self.owner, held | CONTENDED, RECHECK);
                // A cancellation point, like the system call that the lock protects.
                let _ = poll::poll(&mut [], Some(Duration::ZERO));
            }
        }
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        let Some((lock, me)) = self.lock else { return };
        if lock.owner.load(Ordering::Relaxed) == me {
            lock.owner.store(0, Ordering::Release);
        } else {
            lock.release_to_waiter();
        }
    }
}

/// Sleeps while the word has this value, for at most `most`.
fn futex_wait(word: &AtomicU32, value: u32, most: Duration) {
    let most = libc::timespec { tv_sec: 0, tv_nsec: most.subsec_nanos() as _ };
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the kernel reads the word, which the borrow keeps alive, and the time, which is a local.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, value, &raw const most) };
}

fn futex_wake_one(word: &AtomicU32) {
    let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    let none: *const libc::timespec = ptr::null();
    // SAFETY: the kernel only uses the address to find threads that sleep on it.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, 1, none) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::forget;
    use std::sync::Barrier;
    use std::thread;

    #[test]
    #[cfg_attr(miri, ignore = "no tgkill in Miri")]
    fn one_thread_at_a_time_holds_it() {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let lock = RobustLock::new();
        let rounds = 20_000;
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..rounds {
                        let held = lock.lock();
                        let before = COUNT.load(Ordering::Relaxed);
                        COUNT.store(before + 1, Ordering::Relaxed);
                        drop(held);
                    }
                });
            }
        });
        assert_eq!(COUNT.load(Ordering::Relaxed), 3 * rounds);
    }

    #[test]
    #[cfg_attr(miri, ignore = "no tgkill in Miri")]
    fn try_lock_does_not_wait() {
        let lock = RobustLock::new();
        let (taken, tried) = (Barrier::new(2), Barrier::new(2));
        thread::scope(|scope| {
            scope.spawn(|| {
                let held = lock.lock();
                taken.wait();
                tried.wait();
                drop(held);
            });
            taken.wait();
            for _ in 0..2 {
                assert!(lock.try_lock().is_none());
            }
            tried.wait();
            drop(lock.lock());
        });
    }

    #[test]
    #[cfg_attr(miri, ignore = "no tgkill in Miri")]
    fn a_thread_that_has_ended_holds_nothing() {
        let lock = RobustLock::new();
        for _ in 0..2 {
            thread::scope(|scope| {
                scope.spawn(|| forget(lock.lock()));
            });
            thread::scope(|scope| {
                let takes = || drop(lock.lock());
                let threads = [scope.spawn(takes), scope.spawn(takes)];
                threads.into_iter().for_each(|thread| thread.join().unwrap());
            });
        }
    }

    #[test]
    fn a_thread_takes_again_a_lock_that_it_left_without_releasing() {
        let lock = RobustLock::new();
        thread::scope(|scope| {
            scope.spawn(|| {
                forget(lock.lock());
                forget(lock.try_lock().unwrap());
                drop(lock.lock());
            });
        });
        assert!(lock.try_lock().is_some());
    }

    #[test]
    #[cfg_attr(miri, ignore = "no fork in Miri")]
    fn a_child_finds_it_free_although_a_thread_held_it() {
        let lock = RobustLock::new();
        let (taken, forked) = (Barrier::new(2), Barrier::new(2));
        thread::scope(|scope| {
            scope.spawn(|| {
                let held = lock.lock();
                taken.wait();
                forked.wait();
                drop(held);
            });
            taken.wait();
            // SAFETY: the child only makes system calls and ends by _exit.
            let child = unsafe { libc::fork() };
            if child == 0 {
                drop(lock.lock());
                // SAFETY: _exit ends the child without running the parent's atexit handlers.
                unsafe { libc::_exit(0) };
            }
            let mut status = 0;
            // SAFETY: the kernel writes one int to `status`, which outlives the call.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert_eq!(status, 0);
            forked.wait();
        });
    }
}
