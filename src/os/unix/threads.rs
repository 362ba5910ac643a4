//! The process's threads: whether there is more than one, and who they are.

use std::cell::Cell;
use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

use super::fork;

const NAME: &CStr = c"__libc_single_threaded";

/// glibc's `__libc_single_threaded`, where the C library has it (glibc 2.32 and later).
fn flag() -> Option<&'static AtomicU8> {
    // Not a OnceLock: a child must not wait for a thread that it does not have. To look twice does
    // no harm.
    static FLAG: AtomicPtr<AtomicU8> = AtomicPtr::new(&raw const UNKNOWN as *mut AtomicU8);
    let mut place = FLAG.load(Ordering::Acquire);
    if ptr::eq(place, &raw const UNKNOWN) {
        // SAFETY: the name ends in NUL; a name that is not there gives NULL.
        place = unsafe { libc::dlsym(libc::RTLD_DEFAULT, NAME.as_ptr()) }.cast();
        FLAG.store(place, Ordering::Release);
    }
    // SAFETY: NULL, or what the C library documents as one char that lives as long as the process.
    unsafe { place.as_ref() }
}

/// Stands for a flag that was not looked for yet.
static UNKNOWN: AtomicU8 = AtomicU8::new(0);

/// True when this is certainly the only thread; false when there are others or it cannot be told.
pub fn only_one() -> bool {
    flag().is_some_and(|flag| flag.load(Ordering::Relaxed) != 0)
}

/// The calling thread's id, which the kernel has given it. The kernel is asked once in each thread.
pub fn id() -> u32 {
    thread_local! {
        /// The id, and the generation of the process in which it was asked for: a child's is another.
        static ID: Cell<(usize, u32)> = const { Cell::new((usize::MAX, 0)) };
    }
    let generation = fork::generation();
    let (asked_in, id) = ID.get();
    if asked_in == generation {
        return id;
    }
    fork::install_handlers();
    // SAFETY: takes no pointer.
    let id = unsafe { libc::syscall(libc::SYS_gettid) } as u32;
    ID.set((generation, id));
    id
}

/// Whether this process has a thread with this id. It counts as there where the kernel does not say.
pub fn exists(id: u32) -> bool {
    // SAFETY: take no pointer; signal 0 only asks.
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
        // The kernel lets go of it a moment after join has come back.
        while exists(there) {
            std::thread::yield_now();
        }
    }
}
