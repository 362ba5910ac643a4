//! The environment of a request: a vector of pointers to strings.

use std::ffi::c_char;
use std::ptr;

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
    pub fn fill(&mut self, arena: &mut [u8], starts: &[usize]) -> *mut *mut c_char {
        let base: *mut c_char = arena.as_mut_ptr().cast();
        self.pointers.clear();
        self.pointers.extend(starts.iter().map(|&start| base.wrapping_add(start)));
        self.pointers.push(ptr::null_mut());
        self.pointers.as_mut_ptr()
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
/// `name` is a string; `envp` is NULL or such a vector.
pub unsafe fn find(name: *const c_char, envp: *mut *mut c_char) -> *mut c_char {
    let mut place = envp;
    while !place.is_null() {
        // SAFETY: the vector has not ended before this place.
        let entry = unsafe { *place };
        if entry.is_null() {
            break;
        }
        // SAFETY: both are strings, whose first bytes are there. Most entries differ in it.
        if unsafe { *entry == *name } {
            // SAFETY: both are strings.
            if let Some(value) = unsafe { value_of(name, entry) } {
                return value;
            }
        }
        place = place.wrapping_add(1);
    }
    ptr::null_mut()
}

/// The value in `entry` if that is about `name`.
///
/// # Safety
///
/// Both are strings that end with NUL.
unsafe fn value_of(mut name: *const c_char, mut entry: *mut c_char) -> Option<*mut c_char> {
    // SAFETY: all bytes before these were equal and not NUL, so both strings go on up to here.
    unsafe {
        while *name != 0 {
            if *name != *entry {
                return None;
            }
            name = name.wrapping_add(1);
            entry = entry.wrapping_add(1);
        }
        (*entry == b'=' as c_char).then(|| entry.wrapping_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    #[test]
    fn the_first_whole_name_counts() {
        let mut arena = b"AB=1\0A=2\0A=3\0NOVALUE\0E=\0".to_vec();
        let mut envp = Envp::new();
        let vector = envp.fill(&mut arena, &[0, 5, 9, 13, 21]);
        let get = |name: &CStr| {
            // SAFETY: `vector` was made above and ends with NULL.
            let value = unsafe { find(name.as_ptr(), vector) };
            // SAFETY: a value is the end of a string in `arena`.
            (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) }.to_bytes().to_vec())
        };
        assert_eq!(get(c"A"), Some(b"2".to_vec()));
        assert_eq!(get(c"AB"), Some(b"1".to_vec()));
        assert_eq!(get(c"E"), Some(Vec::new()));
        for missing in [c"NOVALUE", c"ABC", c"", c"A=", c"B"] {
            assert_eq!(get(missing), None);
        }
    }
}
