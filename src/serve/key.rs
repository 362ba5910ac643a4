//! Where a connection is parked.

/// Whose a place is, for one who remembers it with a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenant {
    /// The connection's: it waits there, or is out on a request.
    Same,
    /// A connection's that waits there with another descriptor.
    Another,
    /// That connection has ended, or its place was one of another table.
    Unknown,
}

/// A slot of the table of parked connections, and the slot's generation at the time: an event that arrives
/// late for an earlier connection in the same slot is recognised by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

impl Key {
    /// Whether it is one of the few that are in use if few connections wait.
    pub(super) const fn is_among_the_first(self) -> bool {
        self.slot < 16
    }

    /// Its slot and generation.
    pub const fn parts(self) -> (u32, u32) {
        (self.slot, self.generation)
    }

    /// From [`Key::parts`].
    pub const fn from_parts(slot: u32, generation: u32) -> Self {
        Self { slot, generation }
    }

    /// As the kernel carries it.
    pub const fn token(self) -> u64 {
        (self.generation as u64) << 32 | self.slot as u64
    }

    /// From what the kernel gave back.
    pub const fn from_token(token: u64) -> Self {
        Self { slot: token as u32, generation: (token >> 32) as u32 }
    }
}
