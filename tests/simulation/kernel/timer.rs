//! Timers: descriptors that are readable once their time has come.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use super::files::{FileId, Kind};
use super::tasks::TaskId;
use super::{Kernel, error};

#[derive(Clone, Copy, Debug, Default)]
pub struct Timer {
    /// When it goes off, unless it has done so.
    at: Option<Duration>,
    pub has_gone_off: bool,
}

impl Kernel {
    /// Sets a timer. It goes off after this time; `None`: never.
    pub fn set_timer(&mut self, me: TaskId, fd: RawFd, after: Option<Duration>) -> io::Result<()> {
        let (file, now) = (self.file_of(me, fd)?, self.now);
        let Kind::Timer(timer) = &mut self.files[file].kind else {
            return Err(error(libc::EINVAL));
        };
        // A time of zero would stop it.
        let shortest = Duration::from_micros(1);
        *timer = Timer { at: after.map(|after| now + after.max(shortest)), has_gone_off: false };
        self.timers.insert(file);
        Ok(())
    }

    fn time_of(&self, file: FileId) -> Option<Duration> {
        match &self.files[file].kind {
            Kind::Timer(timer) => timer.at,
            _ => None,
        }
    }

    /// Returns when the next timer goes off.
    pub fn next_timer(&self) -> Option<Duration> {
        self.timers.iter().filter_map(|&file| self.time_of(file)).min()
    }

    /// Lets timers go off whose time has come.
    pub fn let_timers_go_off(&mut self) {
        let now = self.now;
        let is_due = |file: &FileId| self.time_of(*file).is_some_and(|at| at <= now);
        let due: Vec<FileId> = self.timers.iter().copied().filter(is_due).collect();
        for file in due {
            self.files[file].kind = Kind::Timer(Timer { at: None, has_gone_off: true });
            self.timers.remove(&file);
            self.notify(file);
        }
    }
}
