//! Why a connection without a request waits, and until when.

use std::time::{Duration, Instant};

use super::config::Config;
use crate::os::clock;
use crate::os::poll::Interest;
use crate::os::socket::Peer;

/// Why a connection waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Accepted; nothing of a request has arrived.
    Silent,
    /// Part of its first request has arrived.
    First,
    /// Its request was refused; it waits for the peer to close, so that the peer can read the answer.
    Lingering,
    /// Has had a request; nothing of another has arrived.
    Idle,
    /// Has had a request; part of another has arrived.
    Next,
}

impl Stage {
    /// Returns whether a request was answered on the connection.
    pub(crate) const fn has_had_request(self) -> bool {
        matches!(self, Self::Idle | Self::Next)
    }

    /// Returns the queue of this stage; connections in the first queue are closed first. Web servers keep
    /// idle connections to use them, and lose requests when these are closed.
    pub(super) const fn queue(self) -> usize {
        match self {
            Self::Silent | Self::First | Self::Lingering => 0,
            Self::Next => 1,
            Self::Idle => 2,
        }
    }
}

/// Why a connection waits, and until when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    /// Why it waits.
    pub stage: Stage,
    /// When the connection is closed.
    pub deadline: Option<Instant>,
}

impl Wait {
    /// A connection whose last request is over waits without a limit.
    pub(crate) const IDLE: Self = Self { stage: Stage::Idle, deadline: None };

    /// Returns a wait from now on with this limit; `None`: without a limit.
    pub(crate) fn new(stage: Stage, patience: Option<Duration>) -> Self {
        let deadline = patience.and_then(|patience| clock::now().checked_add(patience));
        Self { stage, deadline }
    }

    /// Returns the wait of a connection that was just accepted.
    pub(super) fn silent(peer: &Peer, config: &Config) -> Self {
        let patience = match peer {
            Peer::Unix => Some(config.keeper_timeout),
            _ => config.first_byte_timeout,
        };
        Self::new(Stage::Silent, patience)
    }
}

/// When a parked connection is read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// When it becomes readable.
    WhenHeard,
    /// After all connections that are ready now: something has arrived already.
    InTurn,
}

impl Again {
    /// Returns how the kernel watches it when there are several threads.
    pub(super) const fn interest(self) -> Interest {
        match self {
            Self::WhenHeard => Interest::OneShot,
            Self::InTurn => Interest::BehindReady,
        }
    }
}

/// What is expected of the structure that served a connection's last request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// It has accepted several requests, and will probably accept another one soon.
    Returns,
    /// It may never be used again.
    MayBeGone,
}
