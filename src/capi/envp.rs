//! The environment of a request: a vector of pointers to strings.

use std::ffi::{CStr, c_char};
use std::ptr;

use crate::os::memory::{NoMemory, extend, push};

/// Pointers kept between requests.
const KEPT: usize = 1024;

/// The vector that `FCGX_Request.envp` points to.
#[derive(Debug, Default)]
pub struct Envp {
    pointers: Vec<*mut c_char>,
}

impl Envp {
    /// No vector yet.
    pub const fn new() -> Self {
        Self { pointers: Vec::new() }
    }

    /// Fills the vector with pointers to the strings that start at `starts` in `arena`, and NULL.
    pub fn fill(
        &mut self,
        arena: &mut [u8],
        starts: &[usize],
    ) -> Result<*mut *mut c_char, NoMemory> {
        let base: *mut c_char = arena.as_mut_ptr().cast();
        self.pointers.clear();
        extend(&mut self.pointers, starts.iter().map(|&start| base.wrapping_add(start)))?;
        push(&mut self.pointers, ptr::null_mut()).map_err(|_| NoMemory)?;
        Ok(self.pointers.as_mut_ptr())
    }

    /// Forgets the pointers and gives back memory of an unusually long vector.
    pub fn clear(&mut self) {
        self.pointers.clear();
        if self.pointers.capacity() > KEPT {
            self.pointers = Vec::new();
        }
    }
}

/// The value of `name` in a vector of "NAME=value" strings that ends with NULL; NULL if there is
/// none.
///
/// # Safety
///
/// `envp` is NULL or such a vector.
pub unsafe fn find(name: &CStr, envp: *mut *mut c_char) -> *mut c_char {
    let length = name.count_bytes();
    // SAFETY: a string has a first byte.
    let first = if length == 0 { b'=' as c_char } else { unsafe { *name.as_ptr() } };
    let mut place = envp;
    while !place.is_null() {
        // SAFETY: the vector has not ended before this place.
        let entry = unsafe { *place };
        if entry.is_null() {
            break;
        }
        // SAFETY: an entry is a string. Most differ in the first byte; one that is equal in
        // `length` bytes has another one behind them.
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
        let mut envp = Envp::new();
        let vector = envp.fill(&mut arena, &[0, 5, 9, 13, 21, 24]).unwrap();
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
