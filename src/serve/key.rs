//! Keys: where connections are parked.

/// The connection in a slot, for a caller that remembers its key and descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenant {
    /// The same connection: it is parked, or out on a request.
    Same,
    /// Another descriptor is parked with this key.
    Another,
    /// The connection has ended, or the key is of another table.
    Unknown,
}

/// A slot of the table of parked connections, and the slot's generation: it tells a late event for an
/// earlier connection in the same slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

impl Key {
    /// Returns whether it is one of the slots that are in use even if few connections wait.
    pub(super) const fn is_among_the_first(self) -> bool {
        self.slot < 16
    }

    /// Returns the slot and the generation.
    pub const fn parts(self) -> (u32, u32) {
        (self.slot, self.generation)
    }

    /// Makes a key from [`Key::parts`].
    pub const fn from_parts(slot: u32, generation: u32) -> Self {
        Self { slot, generation }
    }

    /// Returns the key as a token for the kernel.
    pub const fn token(self) -> u64 {
        (self.generation as u64) << 32 | self.slot as u64
    }

    /// Makes a key from a token.
    pub const fn from_token(token: u64) -> Self {
        Self { slot: token as u32, generation: (token >> 32) as u32 }
    }
}
