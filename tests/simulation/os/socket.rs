//! Sockets: accepting, queries and closing.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use super::clock;
use super::descriptor::{close, shutdown_write};
use super::error::would_block;
use super::fork::ForkEpoch;
use super::io::recv_now;
use super::poll;
use crate::kernel::files::Kind;
use crate::kernel::tasks::{call, with_me};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code)]
pub enum Peer {
    Unix,
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    Other,
}

#[derive(Clone, Copy, Debug)]
pub struct Accepted {
    pub fd: RawFd,
    pub peer: Peer,
    pub epoch: ForkEpoch,
}

pub fn accept(listen_fd: RawFd) -> io::Result<Accepted> {
    let epoch = ForkEpoch::now();
    let (fd, peer) = crate::kernel::accept::accept(listen_fd)?;
    Ok(Accepted { fd, peer, epoch })
}

/// Returns `None`: no program sets a limit here.
pub fn time_limit(_fd: RawFd) -> Option<Duration> {
    None
}

pub fn check_listens(fd: RawFd) -> io::Result<()> {
    call(|kernel, me| kernel.listener_of(me, fd).map(drop))
}

/// Returns false: no socket is shut down here.
pub fn is_shut_down(_listen_fd: RawFd) -> bool {
    false
}

pub fn set_nodelay(_fd: RawFd) -> io::Result<()> {
    Ok(())
}

pub fn close_without_lingering(fd: RawFd, epoch: ForkEpoch) {
    if epoch.is_before_a_fork() {
        shutdown_write(fd);
    }
    close(fd);
}

#[derive(Debug)]
pub struct LingeringClose {
    fd: RawFd,
    end: Option<Instant>,
}

impl LingeringClose {
    pub fn begin(fd: RawFd, patience: Duration) -> Option<Self> {
        let is_stream = with_me(|kernel, me| {
            kernel
                .file_of(me, fd)
                .is_ok_and(|file| matches!(kernel.files[file].kind, Kind::Stream(_)))
        });
        shutdown_write(fd);
        is_stream.then_some(Self { fd, end: clock::now().checked_add(patience) })
    }

    pub fn next(&mut self, room: &mut [u8]) -> Option<usize> {
        loop {
            match recv_now(self.fd, room) {
                Ok(0) => return None,
                Ok(n) => return Some(n),
                Err(error) if error.kind() == would_block().kind() => {
                    let left = self.end.map(|end| end.saturating_duration_since(clock::now()));
                    if !poll::one(self.fd, poll::READABLE, left).is_ok_and(|found| found != 0) {
                        return None;
                    }
                }
                Err(_) => return None,
            }
        }
    }
}
