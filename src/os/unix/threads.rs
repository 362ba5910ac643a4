//! Whether the process has more than one thread.

use std::ffi::CStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

const NAME: &CStr = c"__libc_single_threaded";

/// glibc's `__libc_single_threaded`, where the C library has it (glibc 2.32 and later).
fn flag() -> Option<&'static AtomicU8> {
    static FLAG: OnceLock<Option<&'static AtomicU8>> = OnceLock::new();
    *FLAG.get_or_init(|| {
        // SAFETY: the name ends in NUL; a name that is not there gives NULL.
        let place = unsafe { libc::dlsym(libc::RTLD_DEFAULT, NAME.as_ptr()) };
        // SAFETY: the C library documents the name as one char that lives as long as the process.
        unsafe { place.cast::<AtomicU8>().as_ref() }
    })
}

/// True when this is certainly the only thread; false when there are others or it cannot be told.
pub fn only_one() -> bool {
    flag().is_some_and(|flag| flag.load(Ordering::Relaxed) != 0)
}
