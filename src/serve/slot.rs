//! A slot of the table of parked connections.

use std::os::fd::RawFd;

use super::rest::Stage;
use super::session::Session;
use crate::os::fork::Moment;

/// How the kernel watches a slot's descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// Not at all.
    No,
    /// All the time, also while a request is active.
    Level,
    /// Until the next event.
    Once,
    /// Registered, but silent: it is parked, and a thread waits for it, or is going to arm it.
    Unarmed,
}

/// What is known of a connection that has a place.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) generation: u32,
    pub(super) fd: RawFd,
    pub(super) watched: Watched,
    pub(super) used: bool,
    /// An event came between the moment from which the descriptor is watched and that of parking.
    pub(super) early: bool,
    /// Whether the client that had its last request asked soon.
    pub(super) quick: bool,
    /// Of [`crate::os::clock::milliseconds`]: since when it is unarmed, or out.
    pub(super) since: u32,
    pub(super) parked: Option<Waiting>,
}

/// A parked connection but for its deadline, which most have none of.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) session: Option<Box<Session>>,
    pub(super) stage: Stage,
    pub(super) since: Moment,
}
