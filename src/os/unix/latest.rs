//! A value that is replaced now and then, while others go on using the one before.

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

/// The latest of the values that a static had. Each lives as long as the process, so a value that
/// was there before is used again.
///
/// A child has the parent's value, and never waits for a thread that it does not have.
pub struct Latest<T> {
    /// Where the first value goes: it needs no memory that could be missing.
    first: UnsafeCell<MaybeUninit<Node<T>>>,
    /// One more than [`fork::generation`] of the process that makes the first value.
    maker: AtomicUsize,
    current: AtomicPtr<Node<T>>,
    /// The head of the list of all values.
    newest: AtomicPtr<Node<T>>,
}

// SAFETY: `first` is written once, by the process's one maker, before it is in the list; the other
// nodes are boxes. No node is changed or freed once it is in the list.
unsafe impl<T: Send + Sync> Sync for Latest<T> {}

impl<T: PartialEq> Latest<T> {
    /// No value yet.
    pub const fn empty() -> Self {
        Self {
            first: UnsafeCell::new(MaybeUninit::uninit()),
            maker: AtomicUsize::new(0),
            current: AtomicPtr::new(ptr::null_mut()),
            newest: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Returns the latest value. `None` before there is one.
    pub fn get(&self) -> Option<&T> {
        // SAFETY: NULL, or a node in the list, which is never freed nor changed.
        unsafe { self.current.load(Ordering::Acquire).as_ref() }.map(|node| &node.value)
    }

    /// Returns the latest value, which is that of `make` if there is none.
    pub fn get_or_make(&self, make: fn() -> T) -> &T {
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
        // An ancestor that did not come to its end before the fork does not go on here.
        if maker == me
            || self.maker.compare_exchange(maker, me, Ordering::AcqRel, Ordering::Acquire).is_err()
        {
            return thread::yield_now();
        }
        let place = self.first.get().cast::<Node<T>>();
        // SAFETY: this thread alone writes the place, and no other thread has seen it yet.
        unsafe { place.write(Node { value: make(), earlier: ptr::null_mut() }) };
        self.newest.store(place, Ordering::Release);
        self.current.store(place, Ordering::Release);
    }

    /// Makes `value` the latest. To be called by one thread at a time, when there is a value.
    pub fn replace(&self, value: T) -> Result<(), NoMemory> {
        let earlier = self.newest.load(Ordering::Acquire);
        let mut equal = earlier;
        // SAFETY: NULL, or a node in the list, which is never freed nor changed.
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
    fn threads_that_come_at_once_see_one_value() {
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
            // SAFETY: the child only touches memory and leaves by _exit.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let made = *NUMBER.get_or_make(|| 8);
                // SAFETY: ends the child without running the parent's handlers.
                unsafe { libc::_exit(i32::from(made != 8)) };
            }
            let mut status = 0;
            // SAFETY: `status` is a place for one int.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert_eq!(status, 0);
            7
        }
        assert_eq!(NUMBER.get_or_make(fork_in_the_middle), &7);
    }
}
