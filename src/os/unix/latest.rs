//! A value that is rarely replaced, while other threads keep using the previous one.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::thread;

use super::fork;
use super::memory::{NoMemory, boxed};

struct Node<T> {
    value: T,
    earlier: *mut Node<T>,
}

/// The latest value of a static. All values live as long as the process; a value equal to an earlier one
/// reuses that one's memory.
///
/// A child has its parent's value, and never waits for a thread that it does not have.
pub(crate) struct Latest<T> {
    /// Memory for the first value, so that making it cannot run out of memory.
    first: UnsafeCell<MaybeUninit<Node<T>>>,
    /// [`fork::generation`] of the process that makes the first value, plus one.
    maker: AtomicUsize,
    current: AtomicPtr<Node<T>>,
    /// The head of the list of all values.
    newest: AtomicPtr<Node<T>>,
}

// SAFETY: `make` lets one thread of a process write `first`, before it is in the list; the other nodes are
// boxes. No node is changed or freed once it is in the list.
unsafe impl<T: Send + Sync> Sync for Latest<T> {}

impl<T: PartialEq> Latest<T> {
    /// Makes a static without a value.
    pub(crate) const fn empty() -> Self {
        Self {
            first: UnsafeCell::new(MaybeUninit::uninit()),
            maker: AtomicUsize::new(0),
            current: AtomicPtr::new(ptr::null_mut()),
            newest: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Returns the latest value. `None` before there is one.
    pub(crate) fn get(&self) -> Option<&T> {
        // SAFETY: NULL, or a node in the list, which is never freed or changed.
        unsafe { self.current.load(Ordering::Acquire).as_ref() }.map(|node| &node.value)
    }

    /// Returns the latest value. Makes the first one with `make`.
    pub(crate) fn get_or_make(&self, make: fn() -> T) -> &T {
        loop {
            if let Some(value) = self.get() {
                return value;
            }
            self.make(make);
        }
    }

    #[cold]
    fn make(&self, make: fn() -> T) {
        fork::install_handlers();
        let me = fork::generation() + 1;
        let maker = self.maker.load(Ordering::Acquire);
        // A maker of an earlier generation was interrupted by the fork, and does not continue here.
        if maker == me
            || self.maker.compare_exchange(maker, me, Ordering::AcqRel, Ordering::Acquire).is_err()
        {
            return thread::yield_now();
        }
        let place = self.first.get().cast::<Node<T>>();
        // SAFETY: only the thread that has set `maker` writes here, and no thread reads it yet.
        unsafe { place.write(Node { value: make(), earlier: ptr::null_mut() }) };
        self.newest.store(place, Ordering::Release);
        self.current.store(place, Ordering::Release);
    }

    /// Makes `value` the latest. To be called by one thread at a time, after the first value was made.
    pub(crate) fn replace(&self, value: T) -> Result<(), NoMemory> {
        let earlier = self.newest.load(Ordering::Acquire);
        let mut equal = earlier;
        // SAFETY: NULL, or a node in the list, which is never freed or changed.
        while let Some(node) = unsafe { equal.as_ref() } {
            if node.value == value {
                self.current.store(equal, Ordering::Release);
                return Ok(());
            }
            equal = node.earlier;
        }
        let node = Box::into_raw(boxed(Node { value, earlier })?);
        self.newest.store(node, Ordering::Release);
        self.current.store(node, Ordering::Release);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lives_on_and_is_used_again() {
        static NUMBER: Latest<u32> = Latest::empty();
        assert_eq!(NUMBER.get(), None);
        let first = NUMBER.get_or_make(|| 1);
        assert_eq!(NUMBER.get_or_make(|| 2), &1);
        NUMBER.replace(2).unwrap();
        let second = NUMBER.get().unwrap();
        assert_eq!((first, second), (&1, &2));
        NUMBER.replace(1).unwrap();
        assert!(ptr::eq(NUMBER.get().unwrap(), first));
        NUMBER.replace(2).unwrap();
        assert!(ptr::eq(NUMBER.get().unwrap(), second));
    }

    #[test]
    fn concurrent_threads_see_one_value() {
        static NUMBER: Latest<u32> = Latest::empty();
        let addresses: Vec<usize> = thread::scope(|scope| {
            let come = |_| scope.spawn(|| ptr::from_ref(NUMBER.get_or_make(|| 7)) as usize);
            let threads: Vec<_> = (0..4).map(come).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(addresses.iter().all(|address| *address == addresses[0]));
    }

    #[test]
    #[cfg_attr(miri, ignore = "no fork in Miri")]
    fn a_child_does_not_wait_for_a_maker_that_it_does_not_have() {
        static NUMBER: Latest<u32> = Latest::empty();
        fn fork_in_the_middle() -> u32 {
            // SAFETY: the child only uses memory and ends by _exit.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let made = *NUMBER.get_or_make(|| 8);
                // SAFETY: _exit ends the child without running the parent's atexit handlers.
                unsafe { libc::_exit(i32::from(made != 8)) };
            }
            let mut status = 0;
            // SAFETY: the kernel writes one int to `status`, which outlives the call.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert_eq!(status, 0);
            7
        }
        assert_eq!(NUMBER.get_or_make(fork_in_the_middle), &7);
    }
}
