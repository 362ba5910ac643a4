//! The environment of a request: a vector of pointers to strings.

use std::ffi::{CStr, c_char};
use std::ptr;
use std::sync::atomic::AtomicPtr;

/// Returns the parameters as `FCGX_Request.envp` has them: a vector of pointers to strings, then NULL.
pub(super) fn vector(pointers: &mut [AtomicPtr<u8>]) -> *mut *mut c_char {
    pointers.as_mut_ptr().cast()
}

/// Finds `name` in a vector of "NAME=value" strings that ends with NULL. Returns its value, or NULL if
/// there is none.
///
/// # Safety
///
/// `envp` is NULL or such a vector.
pub(super) unsafe fn find(name: &CStr, envp: *mut *mut c_char) -> *mut c_char {
    let length = name.count_bytes();
    // SAFETY: a C string has a first byte, even if that is its NUL.
    let first = if length == 0 { b'=' as c_char } else { unsafe { *name.as_ptr() } };
    let mut place = envp;
    while !place.is_null() {
        // SAFETY: the caller's vector ends with NULL, which was not met before this place.
        let entry = unsafe { *place };
        if entry.is_null() {
            break;
        }
        // SAFETY: an entry of the caller's vector is a C string. If its first `length` bytes are equal
        // to the name's, none of them is NUL, and one more byte follows. Comparing the first byte here
        // skips most calls of strncmp.
        let found = unsafe {
            *entry == first
                && libc::strncmp(entry, name.as_ptr(), length) == 0
                && *entry.wrapping_add(length) == b'=' as c_char
        };
        if found {
            return entry.wrapping_add(length + 1);
        }
        place = place.wrapping_add(1);
    }
    ptr::null_mut()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_whole_name_counts() {
        let mut arena = b"AB=1\0A=2\0A=3\0NOVALUE\0E=\0=nameless\0".to_vec();
        let base = arena.as_mut_ptr();
        let strings = [0, 5, 9, 13, 21, 24].map(|start| base.wrapping_add(start));
        let pointers = strings.into_iter().chain([ptr::null_mut()]);
        let mut pointers: Vec<_> = pointers.map(AtomicPtr::new).collect();
        let vector = vector(&mut pointers);
        let get = |name: &CStr| {
            // SAFETY: `vector` was made above and ends with NULL.
            let value = unsafe { find(name, vector) };
            // SAFETY: a value is the end of a string in `arena`.
            (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) }.to_bytes().to_vec())
        };
        assert_eq!(get(c"A"), Some(b"2".to_vec()));
        assert_eq!(get(c"AB"), Some(b"1".to_vec()));
        assert_eq!(get(c"E"), Some(Vec::new()));
        assert_eq!(get(c""), Some(b"nameless".to_vec()));
        for missing in [c"NOVALUE", c"ABC", c"A=", c"B"] {
            assert_eq!(get(missing), None);
        }
    }
}
