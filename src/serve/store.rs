//! Memory kept for reuse, so that the steady state allocates nothing.

use super::exchange::Exchange;
use crate::os::fork::PerProcess;
use crate::os::lock::Lock;
use crate::os::memory::{NoMemory, boxed, push};

/// A bounded stock of values for reuse. A child starts with an empty one after fork.
pub(crate) struct Store<T: Send + 'static> {
    values: PerProcess<Lock<Vec<T>>>,
    most: usize,
}

impl<T: Send + 'static> Store<T> {
    /// An empty store, in which one process keeps at most `most` values.
    pub(crate) const fn new(most: usize) -> Self {
        Self { values: PerProcess::new(Lock::new(Vec::new())), most }
    }

    /// Takes a value out, if there is one.
    pub(crate) fn take(&self) -> Option<T> {
        self.values.get()?.lock().pop()
    }

    /// Keeps a value; drops it if the store is full, or out of memory.
    pub(crate) fn put(&self, value: T) {
        let Some(values) = self.values.get() else { return };
        let mut values = values.lock();
        let refused =
            if values.len() < self.most { push(&mut values, value).err() } else { Some(value) };
        drop(values);
        drop(refused);
    }

    /// Drops all values.
    pub(crate) fn clear(&self) {
        let values = self.values.get().map(|values| std::mem::take(&mut *values.lock()));
        drop(values);
    }
}

/// The most exchanges that one process keeps for reuse, and the most blocks.
pub(crate) const MOST: usize = 32;

pub(super) static EXCHANGES: Store<Box<Exchange>> = Store::new(MOST);

/// Returns an exchange for a connection: from the store if there is one, else a new one.
pub(super) fn new_exchange() -> Result<Box<Exchange>, NoMemory> {
    EXCHANGES.take().map_or_else(|| boxed(Exchange::new()), Ok)
}

/// Returns an exchange to the store.
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
