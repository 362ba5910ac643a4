//! A slot of the table of parked connections.

use std::os::fd::RawFd;

use super::exchange::Exchange;
use super::wait::Stage;
use crate::os::fork::ForkEpoch;

/// How a slot's descriptor is registered with the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Registration {
    No,
    /// Level-triggered, also while a request is active.
    Level,
    /// One-shot.
    Once,
    /// Registered, but silent: it is parked, and a thread waits for it or will arm it.
    Unarmed,
    /// One-shot, and an event arrived after registration and before parking.
    Early,
}

/// The descriptor of a slot that is not in use.
pub(super) const UNUSED: RawFd = -2;

/// What is known of a connection that has a slot.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) generation: u32,
    pub(super) fd: RawFd,
    /// [`file_number`] of the descriptor as long as it is the connection's; 0 if unknown.
    ///
    /// [`file_number`]: crate::os::descriptor::file_number
    pub(super) file: u32,
    pub(super) registration: Registration,
    /// Whether the client of its last request sent the next one soon.
    pub(super) quick: bool,
    /// Since when it is unarmed or out: the low bits of [`crate::os::clock::milliseconds`]. A time a
    /// minute ago may look like now, which is harmless.
    pub(super) since: u16,
    pub(super) parked: Option<Waiting>,
}

impl Slot {
    /// Returns for how many milliseconds it has been unarmed or out.
    pub(super) fn age(&self, now: u32) -> u32 {
        (now as u16).wrapping_sub(self.since).into()
    }

    /// Returns whether the descriptor still stands for the same file.
    pub(super) fn is_own(&self, file_number: impl Fn(RawFd) -> u32) -> bool {
        self.file == 0 || file_number(self.fd) == self.file
    }
}

/// A parked connection without its deadline: most have none.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) exchange: Option<Box<Exchange>>,
    pub(super) stage: Stage,
    pub(super) epoch: ForkEpoch,
}
