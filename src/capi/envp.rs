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
/// `envp` is NULL or such a vector.
pub unsafe fn find(name: &[u8], mut envp: *mut *mut c_char) -> *mut c_char {
    if envp.is_null() {
        return ptr::null_mut();
    }
    loop {
        // SAFETY: the vector has not ended before this place.
        let entry = unsafe { *envp };
        if entry.is_null() {
            return entry;
        }
        // SAFETY: an entry is a string, which ends with NUL.
        if let Some(value) = unsafe { value_of(name, entry) } {
            return value;
        }
        envp = envp.wrapping_add(1);
    }
}

/// The value in `entry` if that is about `name`.
///
/// # Safety
///
/// `entry` is a string that ends with NUL.
unsafe fn value_of(name: &[u8], entry: *mut c_char) -> Option<*mut c_char> {
    let mut next = entry.cast::<u8>();
    for &byte in name.iter().chain(b"=") {
        // SAFETY: all bytes before this one were equal to bytes that are not NUL.
        if unsafe { *next } != byte {
            return None;
        }
        next = next.wrapping_add(1);
    }
    Some(next.cast())
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
        let get = |name: &[u8]| {
            // SAFETY: `vector` was made above and ends with NULL.
            let value = unsafe { find(name, vector) };
            // SAFETY: a value is the end of a string in `arena`.
            (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) }.to_bytes().to_vec())
        };
        assert_eq!(get(b"A"), Some(b"2".to_vec()));
        assert_eq!(get(b"AB"), Some(b"1".to_vec()));
        assert_eq!(get(b"E"), Some(Vec::new()));
        for missing in [&b"NOVALUE"[..], b"ABC", b"", b"A=", b"B"] {
            assert_eq!(get(missing), None);
        }
    }
}
