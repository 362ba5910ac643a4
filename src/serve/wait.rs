//! Why a connection without a request waits, and for how long.

use std::time::{Duration, Instant};

use crate::os::clock;
use crate::os::poll::Interest;

/// Why a connection is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Accepted; no request was begun on it.
    Silent,
    /// Part of its first request has arrived.
    First,
    /// Refused and told so; waits for the peer to end, so that it can read the answer.
    Lingering,
    /// Has had a request, and nothing of another has come since.
    Idle,
    /// Has had a request, and part of another has arrived.
    Next,
}

impl Stage {
    /// Whether a request was answered on the connection.
    pub const fn has_had_request(self) -> bool {
        matches!(self, Self::Idle | Self::Next)
    }

    /// The queue of those that are worth as much. Web servers keep idle connections because they mean
    /// to use them, and lose requests when these are closed.
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
pub struct Wait {
    /// Why.
    pub stage: Stage,
    /// When to close it.
    pub deadline: Option<Instant>,
}

impl Wait {
    /// A connection whose last request is over.
    pub const IDLE: Self = Self { stage: Stage::Idle, deadline: None };

    /// From now on for so long; without a limit for ever.
    pub fn new(stage: Stage, patience: Option<Duration>) -> Self {
        let deadline = patience.and_then(|patience| clock::now().checked_add(patience));
        Self { stage, deadline }
    }
}

/// When a connection that is parked is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// As soon as something comes.
    WhenHeard,
    /// As soon as those have had their turn that are ready already: something has come.
    InTurn,
}

impl Again {
    /// How the kernel watches it beside other threads.
    pub(super) const fn interest(self) -> Interest {
        match self {
            Self::WhenHeard => Interest::OneShot,
            Self::InTurn => Interest::BehindReady,
        }
    }
}

/// What is known of the request that a connection served last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Its structure has accepted several requests, and is expected to accept another one soon.
    Returns,
    /// Its structure may never be used again.
    MayBeGone,
}
