//! Memory kept between requests, so that the steady state needs no allocation.

use super::exchange::Exchange;
use crate::os::fork::PerProcess;
use crate::os::lock::Lock;
use crate::os::memory::{NoMemory, boxed, push};

/// A bounded heap of things for reuse. After fork the child starts with an empty one.
pub struct Store<T: Send + 'static> {
    things: PerProcess<Lock<Vec<T>>>,
    most: usize,
}

impl<T: Send + 'static> Store<T> {
    /// An empty store, in which one process keeps at most so many.
    pub const fn new(most: usize) -> Self {
        Self { things: PerProcess::new(Lock::new(Vec::new())), most }
    }

    /// A thing given back earlier.
    pub fn take(&self) -> Option<T> {
        self.things.get()?.lock().pop()
    }

    /// Keeps a thing; beyond the bound, and without memory, it is dropped.
    pub fn put(&self, thing: T) {
        let Some(things) = self.things.get() else { return };
        let mut things = things.lock();
        let refused =
            if things.len() < self.most { push(&mut things, thing).err() } else { Some(thing) };
        drop(things);
        drop(refused);
    }

    /// Drops everything kept.
    pub fn clear(&self) {
        let things = self.things.get().map(|things| std::mem::take(&mut *things.lock()));
        drop(things);
    }
}

/// Exchanges, and blocks, that one process keeps for reuse at most.
pub const MOST: usize = 32;

pub(super) static EXCHANGES: Store<Box<Exchange>> = Store::new(MOST);

/// An exchange for a connection, from the store if there is one.
pub(super) fn new_exchange() -> Result<Box<Exchange>, NoMemory> {
    EXCHANGES.take().map_or_else(|| boxed(Exchange::new()), Ok)
}

/// Gives an exchange back.
pub(super) fn recycle(mut exchange: Box<Exchange>) {
    exchange.reset();
    EXCHANGES.put(exchange);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_is_bounded_and_can_be_emptied() {
        let store: Store<u32> = Store::new(MOST);
        assert_eq!(store.take(), None);
        (0..100).for_each(|n| store.put(n));
        assert_eq!(store.take(), Some(MOST as u32 - 1));
        store.clear();
        assert_eq!(store.take(), None);
    }
}
