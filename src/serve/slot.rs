//! A slot of the table of parked connections.

use std::os::fd::RawFd;

use super::exchange::Exchange;
use super::wait::Stage;
use crate::os::fork::ForkEpoch;

/// How the kernel watches a slot's descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Not at all.
    No,
    /// All the time, also while a request is active.
    Level,
    /// Until the next event.
    Once,
    /// Registered, but silent: it is parked, and a thread waits for it, or is going to arm it.
    Unarmed,
    /// As once, and an event has come between the moment from which it is watched and that of parking.
    Early,
}

/// Stands in place of a descriptor in a slot that is not in use.
pub(super) const UNUSED: RawFd = -2;

/// What is known of a connection that has a place.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) generation: u32,
    pub(super) fd: RawFd,
    /// What stands at that number as long as it is the connection's: [`file_number`]; 0 where that is
    /// not known.
    ///
    /// [`file_number`]: crate::os::descriptor::file_number
    pub(super) file: u32,
    pub(super) registration: Registration,
    /// Whether the client that had its last request asked soon.
    pub(super) quick: bool,
    /// Since when it is unarmed, or out: the end of [`crate::os::clock::milliseconds`]. What is a minute
    /// ago may seem to be now, which does no harm.
    pub(super) since: u16,
    pub(super) parked: Option<Waiting>,
}

impl Slot {
    /// How many milliseconds it is unarmed, or out.
    pub(super) fn age(&self, now: u32) -> u32 {
        (now as u16).wrapping_sub(self.since).into()
    }

    /// Whether the descriptor is still what it was.
    pub(super) fn is_own(&self, file_number: impl Fn(RawFd) -> u32) -> bool {
        self.file == 0 || file_number(self.fd) == self.file
    }
}

/// A parked connection but for its deadline, which most have none of.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) exchange: Option<Box<Exchange>>,
    pub(super) stage: Stage,
    pub(super) epoch: ForkEpoch,
}
