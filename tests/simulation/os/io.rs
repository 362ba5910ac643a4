//! Receiving and sending.

use std::fmt;
use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::RawFd;
use std::time::Duration;

use super::poll::{self, WRITABLE};
use crate::kernel::tasks::{call, here};

/// Standard error: any output is a failure, except when descriptors are short.
#[derive(Debug)]
pub struct Stderr;

impl fmt::Write for Stderr {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let is_short = here(|process| process.shortage || process.limit < 10);
        assert!(is_short, "the library complains: {text}");
        Ok(())
    }
}

pub fn recv_now(fd: RawFd, buffer: &mut [u8]) -> io::Result<usize> {
    call(|kernel, me| kernel.receive(me, fd, buffer))
}

/// Receives at least one byte. Returns 0 at the end of file and `None` after `patience`.
pub fn recv_within(fd: RawFd, buffer: &mut [u8], patience: Duration) -> io::Result<Option<usize>> {
    loop {
        match recv_now(fd, buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if poll::one(fd, poll::READABLE, Some(patience))? == 0 {
                    return Ok(None);
                }
            }
            result => return result.map(Some),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    KeepOpen,
    // Used by capi only.
    #[allow(dead_code)]
    ShutDown,
}

pub fn send_now(fd: RawFd, bytes: &[u8]) -> io::Result<usize> {
    call(|kernel, me| kernel.send(me, fd, bytes))
}

pub fn send_all(fd: RawFd, mut bytes: &[u8], _then: Then) -> io::Result<()> {
    while !bytes.is_empty() {
        match send_now(fd, bytes) {
            Ok(sent) => bytes = &bytes[sent..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                poll::one(fd, WRITABLE, None)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

pub fn send_all_parts<'a>(
    fd: RawFd,
    pieces: impl Iterator<Item = &'a [u8]> + Clone,
    _list: &mut [IoSlice<'a>],
    then: Then,
) -> io::Result<()> {
    send_all(fd, &pieces.collect::<Vec<_>>().concat(), then)
}

pub fn send_all_within(fd: RawFd, bytes: &mut &[u8], patience: Duration) -> io::Result<()> {
    while !bytes.is_empty() {
        match send_now(fd, bytes) {
            Ok(sent) => *bytes = &bytes[sent..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if poll::one(fd, WRITABLE, Some(patience))? == 0 {
                    return Err(ErrorKind::TimedOut.into());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
