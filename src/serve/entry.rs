//! Whether threads can wait in a pool.

/// What came of entering a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Inside,
    /// There is no epoll instance, for want of descriptors or memory, or in a sandbox that refuses it.
    NoEpoll,
}
