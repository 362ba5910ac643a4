//! Fork detection: state that a child must not share with its parent.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

use super::memory::boxed;

static GENERATION: AtomicUsize = AtomicUsize::new(0);
static FORKS_BEGUN: AtomicUsize = AtomicUsize::new(0);
static FORKS_ENDED: AtomicUsize = AtomicUsize::new(0);
/// Each is a `fn()`, or NULL. Not a OnceLock: a child must not wait for a thread that it does not have.
static CHILD_CLEAN_UPS: [AtomicPtr<()>; 2] = [const { AtomicPtr::new(ptr::null_mut()) }; 2];

extern "C" fn before() {
    FORKS_BEGUN.fetch_add(1, Ordering::SeqCst);
}

extern "C" fn in_parent() {
    FORKS_ENDED.fetch_add(1, Ordering::SeqCst);
}

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    // Forks by other threads complete only in the parent.
    FORKS_ENDED.store(FORKS_BEGUN.load(Ordering::SeqCst), Ordering::SeqCst);
    for clean_up in &CHILD_CLEAN_UPS {
        let clean_up = clean_up.load(Ordering::SeqCst);
        if !clean_up.is_null() {
            // SAFETY: only `set_child_clean_up` and `set_last_child_clean_up` write these, with functions
            // of this type.
            let clean_up: fn() = unsafe { std::mem::transmute(clean_up) };
            clean_up();
        }
    }
}

/// Sets the function that a child calls first, before the numbers of its descriptors can be reused. It
/// must be async-signal-safe, and must not wait for a lock: its owner may be a thread of the parent.
pub(crate) fn set_child_clean_up(clean_up: fn()) {
    // There is one caller, which sets the same function each time.
    let [first, _] = &CHILD_CLEAN_UPS;
    first.store(clean_up as *mut (), Ordering::SeqCst);
}

/// Sets the function that a child calls after that one. It gives up the wake-up, which the function
/// before still needs to recognise epoll instances.
pub(super) fn set_last_child_clean_up(clean_up: fn()) {
    let [_, last] = &CHILD_CLEAN_UPS;
    last.store(clean_up as *mut (), Ordering::SeqCst);
}

/// Installs the fork handlers. To be called before making anything that a child must not share.
///
/// Never waits for another thread, which a child might not have. Threads that call it at the same time
/// may each install the handlers; running them twice is harmless.
pub(crate) fn install_handlers() {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if !INSTALLED.load(Ordering::Acquire) {
        // SAFETY: the handlers only use atomics and close descriptors, which is always allowed; callers of
        // `set_child_clean_up` keep to that. After a failure (ENOMEM) forks go undetected, as before.
        unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
        INSTALLED.store(true, Ordering::Release);
    }
}

/// Returns the number of forks between the process that loaded the library and this one.
pub(crate) fn generation() -> usize {
    GENERATION.load(Ordering::Relaxed)
}

/// Returns whether this process may have a child or was itself forked: such processes may wait for the
/// same listen socket. Forks count from [`install_handlers`] on.
pub(crate) fn has_family() -> bool {
    generation() > 0 || FORKS_BEGUN.load(Ordering::Relaxed) > 0
}

/// A point in time, counted in forks of this process and its ancestors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForkEpoch(usize);

impl ForkEpoch {
    /// Returns the current epoch. To be called before a descriptor is made. Forks count from
    /// [`install_handlers`] on.
    pub fn now() -> Self {
        Self(FORKS_ENDED.load(Ordering::SeqCst))
    }

    /// Returns whether a fork has begun since: a child may have copies of descriptors.
    pub fn is_before_a_fork(self) -> bool {
        self.0 != FORKS_BEGUN.load(Ordering::SeqCst)
    }
}

struct Node<T> {
    generation: usize,
    value: T,
    parents: *mut Node<T>,
}

/// A value of which each process has its own: after fork the child gets a new one.
///
/// A lock inside the parent's value may be held by a thread that the child does not have. The child
/// never touches that value, except through [`PerProcess::inherited`].
pub(crate) struct PerProcess<T> {
    /// The value of the process that loaded the library.
    first: T,
    /// The values of its descendants, newest first.
    newest: AtomicPtr<Node<T>>,
}

impl<T: Default + Send + Sync + 'static> PerProcess<T> {
    /// Makes the values: `first` in the process that loaded the library, the default in all others.
    pub(crate) const fn new(first: T) -> Self {
        Self { first, newest: AtomicPtr::new(ptr::null_mut()) }
    }

    fn newest(&self) -> Option<&Node<T>> {
        // SAFETY: NULL, or a node in the list, which is never freed or changed.
        unsafe { self.newest.load(Ordering::Acquire).as_ref() }
    }

    /// Returns this process's value. `None` in a child that is out of memory.
    pub(crate) fn get(&self) -> Option<&T> {
        if generation() == 0 {
            install_handlers();
            return Some(&self.first);
        }
        match self.newest() {
            Some(node) if node.generation == generation() => Some(&node.value),
            _ => self.renew(),
        }
    }

    /// Returns this process's value, if it has one already. Async-signal-safe.
    pub(crate) fn existing(&self) -> Option<&T> {
        match self.newest() {
            _ if generation() == 0 => Some(&self.first),
            newest => newest.filter(|node| node.generation == generation()).map(|node| &node.value),
        }
    }

    /// Returns the value of the process that this one was forked from, until this one has its own.
    pub(crate) fn inherited(&self) -> Option<&T> {
        let (owner, value) =
            self.newest().map_or((0, &self.first), |node| (node.generation, &node.value));
        (owner != generation()).then_some(value)
    }

    #[cold]
    fn renew(&self) -> Option<&T> {
        loop {
            let parents = self.newest.load(Ordering::Acquire);
            // SAFETY: NULL, or a node in the list, which is never freed or changed.
            if let Some(node) = unsafe { parents.as_ref() } {
                if node.generation == generation() {
                    return Some(&node.value);
                }
            }
            let node = Node { generation: generation(), value: T::default(), parents };
            let node = Box::into_raw(boxed(node).ok()?);
            match self.newest.compare_exchange(parents, node, Ordering::AcqRel, Ordering::Acquire) {
                // SAFETY: the node was just added to the list, where nodes are never freed.
                Ok(_) => return Some(unsafe { &(*node).value }),
                // SAFETY: the box was made above, and no other thread has seen it.
                Err(_) => drop(unsafe { Box::from_raw(node) }),
            }
        }
    }
}

impl<T> Drop for PerProcess<T> {
    fn drop(&mut self) {
        let mut next = *self.newest.get_mut();
        while !next.is_null() {
            // SAFETY: `&mut self` is the only access to the list; each node was made by Box.
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
    fn the_value_stays_without_a_fork() {
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
        // SAFETY: the child only reads memory and ends by _exit.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let inherited = value.inherited().is_some_and(|v| v.try_lock().is_ok_and(|v| *v == 5));
            let inherited = inherited && value.existing().is_none();
            let fresh = value.get().is_some_and(|v| v.try_lock().is_ok_and(|v| *v == 0));
            // SAFETY: _exit ends the child without running the parent's atexit handlers.
            unsafe { libc::_exit(i32::from(!(inherited && fresh))) };
        }
        let mut status = 0;
        // SAFETY: the kernel writes one int to `status`, which outlives the call.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0);
        assert!(before.is_before_a_fork());
        assert_eq!(*value.get().unwrap().lock().unwrap(), 5);
    }
}
