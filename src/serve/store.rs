//! Memory kept between requests, so that the steady state needs no allocation.

use parking_lot::Mutex;

use super::session::Session;
use crate::os::fork::PerProcess;

/// Things that one process keeps for reuse at most.
const MOST: usize = 32;

/// A bounded heap of things for reuse. After fork the child starts with an empty one.
pub struct Store<T: Send + 'static> {
    things: PerProcess<Mutex<Vec<T>>>,
}

impl<T: Send + 'static> Store<T> {
    /// An empty store.
    pub const fn new() -> Self {
        Self { things: PerProcess::new() }
    }

    /// A thing given back earlier.
    pub fn take(&self) -> Option<T> {
        self.things.get().lock().pop()
    }

    /// Keeps a thing; beyond the bound it is dropped.
    pub fn put(&self, thing: T) {
        let mut things = self.things.get().lock();
        if things.len() < MOST {
            things.push(thing);
        }
    }

    /// Drops everything kept.
    pub fn clear(&self) {
        let things = std::mem::take(&mut *self.things.get().lock());
        drop(things);
    }
}

impl<T: Send + 'static> Default for Store<T> {
    fn default() -> Self {
        Self::new()
    }
}

pub(super) static SESSIONS: Store<Box<Session>> = Store::new();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_is_bounded_and_can_be_emptied() {
        let store: Store<u32> = Store::new();
        assert_eq!(store.take(), None);
        (0..100).for_each(|n| store.put(n));
        assert_eq!(store.take(), Some(MOST as u32 - 1));
        store.clear();
        assert_eq!(store.take(), None);
    }
}
