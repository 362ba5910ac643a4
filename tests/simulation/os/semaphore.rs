//! A semaphore of the simulated kernel.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::memory::NoMemory;
use crate::kernel::error;
use crate::kernel::tasks::{Ended, call, unlocked, wait};
use crate::world::now;

/// The number of posts that are left.
#[derive(Debug)]
pub struct Semaphore(Box<AtomicU32>);

impl Semaphore {
    pub fn new() -> Result<Self, NoMemory> {
        Ok(Self(Box::default()))
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(&*self.0).addr()
    }

    fn take(&self) -> Option<()> {
        let less = |posts: u32| posts.checked_sub(1);
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).ok().map(drop)
    }

    pub fn post(&self) {
        call(|_, _| self.0.fetch_add(1, Ordering::SeqCst));
        unlocked(self.address());
    }

    pub fn wait(&self, timeout: Duration) -> io::Result<()> {
        let address = self.address();
        wait(
            "a semaphore",
            Some(now() + timeout),
            |_, _| self.take(),
            |kernel, me, enters| kernel.queue_for_lock(address, me, enters),
        )
        .map_err(|ended| match ended {
            Ended::TimedOut => error(libc::ETIMEDOUT),
            Ended::Interrupted => error(libc::EINTR),
        })
    }
}
