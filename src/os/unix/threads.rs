//! Whether the process has more than one thread.

use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

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
