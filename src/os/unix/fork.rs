//! Noticing fork: state that must not be shared with the parent.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

use super::memory::boxed;

static GENERATION: AtomicUsize = AtomicUsize::new(0);
static FORKS_BEGUN: AtomicUsize = AtomicUsize::new(0);
static FORKS_ENDED: AtomicUsize = AtomicUsize::new(0);
/// Two times a `fn()`, or NULL. No OnceLock: a child must not wait for a thread that it does not have.
static CHILD_CLEAN_UPS: [AtomicPtr<()>; 2] = [const { AtomicPtr::new(ptr::null_mut()) }; 2];

extern "C" fn before() {
    FORKS_BEGUN.fetch_add(1, Ordering::SeqCst);
}

extern "C" fn in_parent() {
    FORKS_ENDED.fetch_add(1, Ordering::SeqCst);
}

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    // Other threads' forks go on in the parent alone.
    FORKS_ENDED.store(FORKS_BEGUN.load(Ordering::SeqCst), Ordering::SeqCst);
    for clean_up in &CHILD_CLEAN_UPS {
        let clean_up = clean_up.load(Ordering::SeqCst);
        if !clean_up.is_null() {
            // SAFETY: `set_child_clean_up` and `set_last_child_clean_up` alone write the places, with functions of this type.
            let clean_up: fn() = unsafe { std::mem::transmute(clean_up) };
            clean_up();
        }
    }
}

/// Sets what a child does first of all, before its descriptors' numbers can mean anything else.
/// Everything in it must be async-signal-safe, and a lock may be held for ever.
pub fn set_child_clean_up(clean_up: fn()) {
    // There is one user; for the second time it says the same.
    let [first, _] = &CHILD_CLEAN_UPS;
    first.store(clean_up as *mut (), Ordering::SeqCst);
}

/// Sets what a child does after that. The wake-up is given up here: by it the epoll instances are known
/// that are given up above.
pub(super) fn set_last_child_clean_up(clean_up: fn()) {
    let [_, last] = &CHILD_CLEAN_UPS;
    last.store(clean_up as *mut (), Ordering::SeqCst);
}

/// Installs the fork handlers. Called before the first thing that a child must not share.
///
/// Waits for no other thread, which a child might not have. Threads that come at the same time each
/// install them; the handlers do no harm when they run twice.
pub fn install_handlers() {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if !INSTALLED.load(Ordering::Acquire) {
        // SAFETY: the handlers touch atomics and close descriptors, which is allowed at any moment;
        // the clean-up keeps to that. A failure (ENOMEM) leaves forks unnoticed, as they were.
        unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
        INSTALLED.store(true, Ordering::Release);
    }
}

/// How many forks lie between the process that loaded the library and this one.
pub fn generation() -> usize {
    GENERATION.load(Ordering::Relaxed)
}

/// Whether another process may have been made by fork of this one, or this one of another: both may wait for
/// the same listen socket. Forks count from [`install_handlers`] on.
pub fn has_family() -> bool {
    generation() > 0 || FORKS_BEGUN.load(Ordering::Relaxed) > 0
}

/// A moment among the forks of this process and its ancestors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForkEpoch(usize);

impl ForkEpoch {
    /// Now: to be asked before a descriptor is made. Forks count from [`install_handlers`] on.
    pub fn now() -> Self {
        Self(FORKS_ENDED.load(Ordering::SeqCst))
    }

    /// Whether a child has been made since, or is just being made: it may have copies.
    pub fn is_before_a_fork(self) -> bool {
        self.0 != FORKS_BEGUN.load(Ordering::SeqCst)
    }
}

struct Node<T> {
    generation: usize,
    value: T,
    parents: *mut Node<T>,
}

/// A value that every process has for itself: after fork the child gets a fresh one.
///
/// A lock inside the parent's value may have been held by a thread that the child does not have;
/// the child never touches it, except through [`PerProcess::inherited`].
pub struct PerProcess<T> {
    /// That of the process that loaded the library.
    first: T,
    /// Those of its descendants.
    newest: AtomicPtr<Node<T>>,
}

impl<T: Default + Send + Sync + 'static> PerProcess<T> {
    /// `first` is for the process that loaded the library; others start with the default.
    pub const fn new(first: T) -> Self {
        Self { first, newest: AtomicPtr::new(ptr::null_mut()) }
    }

    fn newest(&self) -> Option<&Node<T>> {
        // SAFETY: a node in the list is never freed nor changed.
        unsafe { self.newest.load(Ordering::Acquire).as_ref() }
    }

    /// This process's value. `None` in a child that has no memory for it.
    pub fn get(&self) -> Option<&T> {
        if generation() == 0 {
            install_handlers();
            return Some(&self.first);
        }
        match self.newest() {
            Some(node) if node.generation == generation() => Some(&node.value),
            _ => self.renew(),
        }
    }

    /// This process's value, if it has one already. Async-signal-safe.
    pub fn existing(&self) -> Option<&T> {
        match self.newest() {
            _ if generation() == 0 => Some(&self.first),
            newest => newest.filter(|node| node.generation == generation()).map(|node| &node.value),
        }
    }

    /// The value of the process that this one was forked from, while this one has none of its own.
    pub fn inherited(&self) -> Option<&T> {
        let (owner, value) =
            self.newest().map_or((0, &self.first), |node| (node.generation, &node.value));
        (owner != generation()).then_some(value)
    }

    #[cold]
    fn renew(&self) -> Option<&T> {
        loop {
            let parents = self.newest.load(Ordering::Acquire);
            // SAFETY: a node in the list is never freed nor changed.
            if let Some(node) = unsafe { parents.as_ref() } {
                if node.generation == generation() {
                    return Some(&node.value);
                }
            }
            let node = Node { generation: generation(), value: T::default(), parents };
            let node = Box::into_raw(boxed(node).ok()?);
            match self.newest.compare_exchange(parents, node, Ordering::AcqRel, Ordering::Acquire) {
                // SAFETY: just put into the list, where nodes are never freed.
                Ok(_) => return Some(unsafe { &(*node).value }),
                // SAFETY: made above and seen by nobody else.
                Err(_) => drop(unsafe { Box::from_raw(node) }),
            }
        }
    }
}

impl<T> Drop for PerProcess<T> {
    fn drop(&mut self) {
        let mut next = *self.newest.get_mut();
        while !next.is_null() {
            // SAFETY: `&mut self` is the only way to the list; each node was made by Box.
            let node = unsafe { Box::from_raw(next) };
            next = node.parents;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn the_value_stays_while_nobody_forks() {
        let value: PerProcess<Mutex<u32>> = PerProcess::new(Mutex::new(0));
        *value.get().unwrap().lock().unwrap() = 5;
        assert_eq!(*value.get().unwrap().lock().unwrap(), 5);
        assert!(value.inherited().is_none());
        assert!(value.existing().is_some());
    }

    #[test]
    #[cfg_attr(miri, ignore = "no fork in Miri")]
    fn a_child_starts_afresh() {
        let value: PerProcess<Mutex<u32>> = PerProcess::new(Mutex::new(0));
        *value.get().unwrap().lock().unwrap() = 5;
        let before = ForkEpoch::now();
        assert!(!before.is_before_a_fork());
        // SAFETY: the child only reads memory and leaves by _exit.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let inherited = value.inherited().is_some_and(|v| v.try_lock().is_ok_and(|v| *v == 5));
            let inherited = inherited && value.existing().is_none();
            let fresh = value.get().is_some_and(|v| v.try_lock().is_ok_and(|v| *v == 0));
            // SAFETY: ends the child without running the parent's handlers.
            unsafe { libc::_exit(i32::from(!(inherited && fresh))) };
        }
        let mut status = 0;
        // SAFETY: `status` is a place for one int.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0);
        assert!(before.is_before_a_fork());
        assert_eq!(*value.get().unwrap().lock().unwrap(), 5);
    }
}
