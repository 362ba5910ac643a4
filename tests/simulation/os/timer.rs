//! A timer as a descriptor.

use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use super::descriptor::close;
use crate::kernel::files::Kind;
use crate::kernel::tasks::{call, with_me};
use crate::kernel::timer::Timer as File;

#[derive(Debug)]
pub struct Timer {
    fd: AtomicI32,
}

impl Timer {
    /// Makes a timer without a scheduling point, because it is called where a value is made once.
    pub fn new() -> io::Result<Self> {
        let fd = with_me(|kernel, me| kernel.open(me, Kind::Timer(File::default())))?;
        Ok(Self { fd: AtomicI32::new(fd) })
    }

    pub fn replace(&self) -> io::Result<()> {
        let another = Self::new()?;
        self.fd.store(another.descriptor(), Ordering::Relaxed);
        Ok(())
    }

    pub fn descriptor(&self) -> RawFd {
        self.fd.load(Ordering::Relaxed)
    }

    pub fn set(&self, after: Option<Duration>) -> io::Result<()> {
        let fd = self.descriptor();
        call(|kernel, me| kernel.set_timer(me, fd, after))
    }

    pub fn give_up(&self) {
        let fd = self.fd.swap(-1, Ordering::Relaxed);
        if fd >= 0 {
            close(fd);
        }
    }
}
