//! Waiting for descriptors.

use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

use super::clock::{end_of, now};
use super::descriptor::close;
use super::error::errno_of;
use crate::kernel::epoll::Epoll as Instance;
use crate::kernel::error;
use crate::kernel::files::Kind;
use crate::kernel::tasks::{call, with_me};
use crate::kernel::waiting;

pub const READABLE: i16 = libc::POLLIN;
pub const WRITABLE: i16 = libc::POLLOUT;

#[derive(Clone, Copy, Debug)]
pub struct PollFd {
    pub fd: RawFd,
    pub events: i16,
    pub revents: i16,
}

impl PollFd {
    pub const fn new(fd: RawFd, events: i16) -> Self {
        Self { fd, events, revents: 0 }
    }

    pub const fn is_open(&self) -> bool {
        self.revents & libc::POLLNVAL == 0
    }
}

pub fn poll(fds: &mut [PollFd], timeout: Option<Duration>) -> io::Result<usize> {
    waiting::poll(fds, end_of(timeout))
}

pub fn one(fd: RawFd, events: i16, timeout: Option<Duration>) -> io::Result<i16> {
    let end = timeout.and_then(|timeout| now().checked_add(timeout));
    let mut fds = [PollFd::new(fd, events)];
    loop {
        let left = end.map(|end| end.saturating_duration_since(now()));
        match poll(&mut fds, left) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map(|_| fds[0].revents),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    Level,
    OneShot,
    BehindReady,
    Silent,
    Exclusive,
}

pub struct Ready {
    pub tokens: Vec<u64>,
}

impl Ready {
    pub const MOST: usize = 16;

    pub const fn new() -> Self {
        Self { tokens: Vec::new() }
    }

    pub fn tokens(&self) -> impl Iterator<Item = u64> + '_ {
        self.tokens.iter().copied()
    }
}

#[derive(Debug)]
pub struct Epoll {
    fd: AtomicI32,
    witness: AtomicI32,
    is_witness_silent: AtomicBool,
    token: u64,
}

impl Epoll {
    /// Makes an instance without a scheduling point, because it is called where a value is made once.
    pub fn new(witness: impl FnOnce() -> io::Result<RawFd>, token: u64) -> io::Result<Self> {
        let (fd, none) = (AtomicI32::new(-1), AtomicI32::new(-1));
        let is_witness_silent = AtomicBool::new(false);
        let epoll = Self { fd, witness: none, is_witness_silent, token };
        epoll.make(witness, || {})?;
        Ok(epoll)
    }

    /// Makes the instance; calls `pause` between two system calls.
    fn make(
        &self,
        witness: impl FnOnce() -> io::Result<RawFd>,
        pause: impl Fn(),
    ) -> io::Result<()> {
        pause();
        let fd = with_me(|kernel, me| kernel.open(me, Kind::Epoll(Instance::default())))?;
        self.fd.store(fd, Ordering::Relaxed);
        pause();
        let is_good = witness().and_then(|witness| {
            self.witness.store(witness, Ordering::Relaxed);
            self.is_witness_silent.store(false, Ordering::Relaxed);
            pause();
            with_me(|kernel, me| {
                let fd = self.descriptor();
                kernel.add(me, fd, witness, Interest::Level, self.token)?;
                if kernel.has_room(me) { Ok(()) } else { Err(error(libc::EMFILE)) }
            })
        });
        if is_good.is_err() {
            self.fd.store(-1, Ordering::Relaxed);
            let _ = with_me(|kernel, me| kernel.close(me, fd));
        }
        is_good
    }

    pub fn renew(&self, witness: impl FnOnce() -> io::Result<RawFd>) -> io::Result<()> {
        self.give_up();
        self.make(witness, || call(|_, _| ()))
    }

    fn ask_witness(&self) -> io::Result<()> {
        let is_silent = self.is_witness_silent.load(Ordering::Relaxed);
        let interest = if is_silent { Interest::Silent } else { Interest::Level };
        self.modify(self.witness(), interest, self.token)
    }

    pub fn watch_witness(&self, interest: Interest) -> io::Result<()> {
        self.is_witness_silent.store(interest == Interest::Silent, Ordering::Relaxed);
        self.ask_witness()
    }

    pub fn is_lost(&self) -> bool {
        self.ask_witness().is_err_and(|error| says_lost(&error))
    }

    pub fn witness(&self) -> RawFd {
        self.witness.load(Ordering::Relaxed)
    }

    pub fn add(&self, fd: RawFd, interest: Interest, token: u64) -> io::Result<()> {
        let epoll = self.descriptor();
        call(|kernel, me| kernel.add(me, epoll, fd, interest, token))
    }

    pub fn modify(&self, fd: RawFd, interest: Interest, token: u64) -> io::Result<()> {
        let epoll = self.descriptor();
        call(|kernel, me| kernel.modify(me, epoll, fd, interest, token))
    }

    pub fn move_last(&self, fd: RawFd, interest: Interest, token: u64) -> io::Result<()> {
        let epoll = self.descriptor();
        match call(|kernel, me| kernel.remove(me, epoll, fd)) {
            Ok(()) => self.add(fd, interest, token),
            Err(_) => Ok(()),
        }
    }

    pub fn remove(&self, fd: RawFd) -> bool {
        let epoll = self.descriptor();
        call(|kernel, me| kernel.remove(me, epoll, fd)).is_ok()
    }

    pub fn wait(
        &self,
        ready: &mut Ready,
        most: usize,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        ready.tokens.clear();
        let most = most.clamp(1, Ready::MOST);
        ready.tokens = waiting::epoll_wait(self.descriptor(), most, end_of(timeout))?;
        Ok(())
    }

    pub fn wait_for_handlers_only(
        &self,
        ready: &mut Ready,
        most: usize,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        poll(&mut [PollFd::new(self.descriptor(), READABLE)], timeout)?;
        self.wait(ready, most, Some(Duration::ZERO))
    }

    pub fn descriptor(&self) -> RawFd {
        self.fd.load(Ordering::Relaxed)
    }

    pub fn give_up(&self) {
        let is_own = self.ask_witness().is_ok();
        let fd = self.fd.swap(-1, Ordering::Relaxed);
        if is_own {
            close(fd);
        } else {
            with_me(|kernel, me| kernel.leave_instance(me, fd));
        }
    }
}

pub fn says_lost(error: &io::Error) -> bool {
    [libc::EBADF, libc::EINVAL, libc::ENOENT].contains(&errno_of(error))
}

impl Drop for Epoll {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.give_up();
        }
    }
}
