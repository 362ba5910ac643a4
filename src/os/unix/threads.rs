//! The process's threads: whether there is more than one, and their ids.

use std::cell::Cell;
use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

use super::fork;

const NAME: &CStr = c"__libc_single_threaded";

/// Returns glibc's `__libc_single_threaded`, where the C library has it (glibc 2.32 and later).
fn flag() -> Option<&'static AtomicU8> {
    // Not a OnceLock: a child must not wait for a thread that it does not have. Looking twice is harmless.
    static FLAG: AtomicPtr<AtomicU8> = AtomicPtr::new(&raw const UNKNOWN as *mut AtomicU8);
    let mut place = FLAG.load(Ordering::Acquire);
    if ptr::eq(place, &raw const UNKNOWN) {
        // SAFETY: the name ends in NUL; dlsym returns NULL for a name that it does not find.
        place = unsafe { libc::dlsym(libc::RTLD_DEFAULT, NAME.as_ptr()) }.cast();
        FLAG.store(place, Ordering::Release);
    }
    // SAFETY: NULL, or the C library's char, documented to live as long as the process.
    unsafe { place.as_ref() }
}

/// Its address stands for a flag that was not looked up yet.
static UNKNOWN: AtomicU8 = AtomicU8::new(0);

/// Returns true if this is certainly the only thread; false if there are others or it is not known.
pub(crate) fn only_one() -> bool {
    flag().is_some_and(|flag| flag.load(Ordering::Relaxed) != 0)
}

/// Returns the calling thread's kernel id. Each thread makes the system call once.
pub(crate) fn id() -> u32 {
    thread_local! {
        /// The id, and the generation of the process that it belongs to: after fork it is another.
        static ID: Cell<(usize, u32)> = const { Cell::new((usize::MAX, 0)) };
    }
    let generation = fork::generation();
    let (asked_in, id) = ID.get();
    if asked_in == generation {
        return id;
    }
    fork::install_handlers();
    // SAFETY: gettid takes no arguments.
    let id = unsafe { libc::syscall(libc::SYS_gettid) } as u32;
    ID.set((generation, id));
    id
}

/// Returns whether this process has a thread with this id; true where a sandbox refuses the call.
pub(crate) fn exists(id: u32) -> bool {
    // SAFETY: tgkill and getpid take no pointer; signal 0 only checks.
    let answer = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), id as libc::pid_t, 0) };
    answer == 0 || std::io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "no tgkill in Miri")]
    fn a_thread_is_there_until_it_has_ended() {
        let (here, there) = (id(), std::thread::spawn(id).join().unwrap());
        assert_ne!(here, there);
        assert_eq!(here, id());
        assert!(exists(here));
        // The kernel releases the id a moment after join has returned.
        while exists(there) {
            std::thread::yield_now();
        }
    }
}
