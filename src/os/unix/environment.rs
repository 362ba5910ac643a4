//! The environment of the process, which a request's parameters may replace.

use std::ffi::{OsString, c_char};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

unsafe extern "C" {
    static mut environ: *mut *mut c_char;
}

/// Whether the environment has ever been a request's. It then never counts as the program's again: the
/// vector from before may be freed, and the one from after is invalid or empty.
static BELONGED_TO_REQUEST: AtomicBool = AtomicBool::new(false);

/// Makes a vector of strings the environment. NULL stands for an empty vector.
///
/// # Safety
///
/// `envp` is NULL, or a NULL-terminated vector of strings that lives as long as it is the environment.
/// No other thread uses the environment.
pub(crate) unsafe fn replace(envp: *mut *mut c_char) {
    BELONGED_TO_REQUEST.store(true, Ordering::Relaxed);
    // SAFETY: `environ` is an aligned pointer of the C library that lives as long as the process.
    unsafe { AtomicPtr::from_ptr(&raw mut environ) }.store(envp, Ordering::Relaxed);
}

/// Notes that a request's environment is written to `place`, which the program has chosen: it may be
/// `environ`.
pub(crate) fn note_written(place: *mut *mut *mut c_char) {
    if ptr::eq(place, &raw const environ) {
        BELONGED_TO_REQUEST.store(true, Ordering::Relaxed);
    }
}

/// Returns whether the environment is the program's own: it has never been a request's, and is not a
/// copy of a request's, which would contain FCGI_ROLE.
pub(crate) fn belongs_to_program() -> bool {
    !BELONGED_TO_REQUEST.load(Ordering::Relaxed) && variable("FCGI_ROLE").is_none()
}

/// Returns the value of a variable.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "no environ in Miri")]
    fn what_is_written_to_another_place_leaves_the_environment_the_programs() {
        let mut place = ptr::null_mut();
        note_written(&raw mut place);
        assert!(belongs_to_program());
        note_written(&raw mut environ);
        assert!(!belongs_to_program());
    }
}
