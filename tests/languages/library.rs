//! What the library itself says.

use std::ffi::{CStr, CString, c_char, c_int};
use std::mem::transmute;
use std::os::unix::ffi::OsStrExt;

use testkit::dist;

/// FCGX_GONE of fcgi_request.h.
const GONE: c_int = -10004;

/// Returns the text for a request whose client has left.
pub(crate) fn text_of_gone() -> String {
    type ErrorText = unsafe extern "C" fn(c_int) -> *const c_char;
    let path = CString::new(dist().join("libfcgi.so.0").as_os_str().as_bytes()).unwrap();
    // SAFETY: both strings end with NUL, and loading the library starts nothing.
    let function = unsafe {
        let library = libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
        libc::dlsym(library, c"FCGX_ErrorText".as_ptr())
    };
    assert!(!function.is_null(), "{} has no FCGX_ErrorText", dist().display());
    // SAFETY: the header declares the function so. It returns a string that stays.
    let text = unsafe {
        let function: ErrorText = transmute(function);
        CStr::from_ptr(function(GONE))
    };
    text.to_str().unwrap().to_owned()
}
