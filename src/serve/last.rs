//! The connection that a thread brings along when it waits for its next request.

use std::os::fd::RawFd;

use super::config::Config;
use super::connection::Connection;
use super::key::Key;
use super::pool::Pool;
use super::wait::{Again, Wait};

/// The connection of a caller's last request.
#[derive(Debug)]
pub enum Last {
    /// None: it is closed, or there was no request before.
    None,
    /// A kept connection that the caller still has.
    Given(Connection),
    /// A connection that [`take_back`](super::listener::Listener::take_back) has parked with this key and
    /// descriptor.
    Parked(Key, RawFd),
}

impl Last {
    /// Returns the connection, if the caller still has it.
    pub(super) fn into_connection(self) -> Option<Connection> {
        match self {
            Self::Given(kept) => Some(kept),
            Self::None | Self::Parked(..) => None,
        }
    }

    /// Parks the connection in a pool, if the caller still has it: no thread waits for it now.
    pub(super) fn park(self, pool: &Pool, config: &Config) {
        let Some(kept) = self.into_connection() else { return };
        if let Err(kept) = kept.park(pool, Wait::IDLE, Again::InTurn, config) {
            kept.discard();
        }
    }
}
