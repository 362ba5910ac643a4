//! A timer as a descriptor: readable once its time has come.

use std::io;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use super::descriptor::{close, move_above_stdio};
use super::syscall::checked;

/// A timer (timerfd). It is closed by [`Timer::give_up`] only.
#[derive(Debug)]
pub(crate) struct Timer {
    /// -1 when given up.
    fd: AtomicI32,
}

impl Timer {
    /// Makes a timer that is not set, at descriptor 3 or above.
    pub(crate) fn new() -> io::Result<Self> {
        let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
        // SAFETY: timerfd_create takes no pointer.
        let fd = checked(unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) })?;
        Ok(Self { fd: AtomicI32::new(move_above_stdio(fd)?) })
    }

    /// Makes another timer. The program may have closed this one, or reused its number, which is left alone.
    pub(crate) fn replace(&self) -> io::Result<()> {
        let another = Self::new()?;
        self.fd.store(another.descriptor(), Ordering::Relaxed);
        Ok(())
    }

    /// Returns the descriptor.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.fd.load(Ordering::Relaxed)
    }

    /// Sets the timer: it becomes readable after this time, and is not before. `None`: never.
    pub(crate) fn set(&self, after: Option<Duration>) -> io::Result<()> {
        // A time of zero would stop it.
        let after = after.map_or(Duration::ZERO, |after| after.max(Duration::from_nanos(1)));
        let never = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let time = libc::itimerspec {
            it_interval: never,
            it_value: libc::timespec {
                tv_sec: after.as_secs().try_into().unwrap_or(libc::time_t::MAX),
                tv_nsec: after.subsec_nanos() as _,
            },
        };
        // SAFETY: the kernel reads an itimerspec that outlives the call.
        let result = unsafe {
            libc::timerfd_settime(self.descriptor(), 0, &raw const time, ptr::null_mut())
        };
        checked(result).map(drop)
    }

    /// Closes the timer, whose number the caller has checked. Async-signal-safe.
    pub(crate) fn give_up(&self) {
        let fd = self.fd.swap(-1, Ordering::Relaxed);
        if fd >= 0 {
            close(fd);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::descriptor::is_open;
    use crate::os::poll::{READABLE, one};

    #[test]
    #[cfg_attr(miri, ignore = "no timerfd in Miri")]
    fn it_is_readable_after_its_time_and_not_when_set_again() {
        let timer = Timer::new().unwrap();
        let is_readable = |wait| one(timer.descriptor(), READABLE, Some(wait)).unwrap() != 0;
        assert!(!is_readable(Duration::ZERO));
        timer.set(Some(Duration::ZERO)).unwrap();
        assert!(is_readable(Duration::from_secs(20)));
        assert!(is_readable(Duration::ZERO));
        timer.set(Some(Duration::from_secs(1000))).unwrap();
        assert!(!is_readable(Duration::ZERO));
        timer.set(None).unwrap();
        assert!(!is_readable(Duration::ZERO));
        let first = timer.descriptor();
        timer.replace().unwrap();
        assert!(timer.descriptor() != first && is_open(first));
        close(first);
        timer.give_up();
        assert!(timer.set(None).is_err());
    }
}
