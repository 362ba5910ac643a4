//! The parameters of a request, with their lengths.

use std::ffi::{CStr, c_char};
use std::ptr;

use crate::capi::block::block_of;
use crate::capi::layout::FCGX_Request;
use crate::serve::params::Params;

/// Returns the parameters of the request in progress.
///
/// # Safety
///
/// `request` is NULL or points to a request that was initialised. The result is used before the request
/// ends.
unsafe fn params_of<'a>(request: *const FCGX_Request) -> Option<&'a Params> {
    if request.is_null() {
        return None;
    }
    // SAFETY: the caller passes an initialised request. An accepted one has a live block, and no other
    // thread changes its parameters before it ends.
    unsafe {
        if (*request).r#in.is_null() {
            return None;
        }
        let block = block_of(request.cast_mut());
        Some((*block).connection.as_ref()?.exchange.strings())
    }
}

/// Stores a length, unless `place` is NULL.
///
/// # Safety
///
/// `place` is NULL or may be written.
unsafe fn put(place: *mut usize, length: usize) {
    if !place.is_null() {
        // SAFETY: not NULL, so the caller lets it be written.
        unsafe { place.write(length) };
    }
}

/// Looks up a parameter by its name.
///
/// Parameters:
/// - name: the whole name, without "=".
/// - length: where the number of bytes of the value is stored, 0 without one; NULL stores nothing.
///
/// Returns: the value of the first parameter with this name, any bytes, and a NUL after them; NULL if
/// no parameter has it, without a request in progress, or if request or name is NULL. It is valid until the
/// request ends.
///
/// Specification: 5.2.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_RequestParam(
    request: *const FCGX_Request,
    name: *const c_char,
    length: *mut usize,
) -> *const c_char {
    // SAFETY: the caller passes NULL or a request, NULL or a C string, and NULL or a variable of its own.
    unsafe {
        let params = params_of(request).filter(|_| !name.is_null());
        let value = params.and_then(|params| params.find(CStr::from_ptr(name).to_bytes()));
        put(length, value.map_or(0, <[u8]>::len));
        value.map_or(ptr::null(), |value| value.as_ptr().cast())
    }
}

/// Returns a parameter by its index. The order and the strings are those of envp in fcgiapp.h.
///
/// Parameters:
/// - index: from 0 on. The first parameter is FCGI_ROLE.
/// - name: where the number of bytes before the first "=" is stored, 0 behind the last; NULL stores
///   nothing.
/// - length: where the number of bytes of the whole is stored, 0 behind the last; NULL stores nothing.
///
/// Returns: "NAME=value", any bytes, and a NUL after them; NULL behind the last parameter, without a
/// request in progress, or if request is NULL. It is valid until the request ends.
///
/// Specification: 5.2.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_RequestParamAt(
    request: *const FCGX_Request,
    index: usize,
    name: *mut usize,
    length: *mut usize,
) -> *const c_char {
    // SAFETY: the caller passes NULL or a request, and NULL or variables of its own.
    unsafe {
        let string = params_of(request).and_then(|params| params.string(index));
        let name_of = |string: &[u8]| string.iter().position(|byte| *byte == b'=');
        put(name, string.and_then(name_of).unwrap_or(0));
        put(length, string.map_or(0, <[u8]>::len));
        string.map_or(ptr::null(), |string| string.as_ptr().cast())
    }
}
