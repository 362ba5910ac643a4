//! Whether threads can wait in a pool.

/// The result of entering a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Inside,
    /// There is no epoll instance: out of descriptors or memory, or a sandbox refuses it.
    NoEpoll,
}
