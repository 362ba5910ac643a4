//! Serves the listen socket on descriptor 0: answers with parameters and the body. It binds the C library, as any
//! language does; the crate `fcgi` is what a Rust program would rather use.

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::io::{self, Read, Write};
use std::ptr::NonNull;
use std::slice;

const FCGX_SHUT_DOWN: c_int = -10001;
const FCGX_TAKE_SIGNALS: c_int = 2;

#[repr(C)]
struct FcgxRequest {
    _opaque: [u8; 0],
}

extern "C" {
    fn FCGX_ErrorText(result: c_int) -> *const c_char;
    fn FCGX_RequestNew(socket: c_int, flags: c_int) -> *mut FcgxRequest;
    fn FCGX_RequestFree(request: *mut FcgxRequest);
    fn FCGX_RequestNext(request: *mut FcgxRequest, timeout: c_int) -> c_int;
    fn FCGX_RequestEnd(request: *mut FcgxRequest, status: c_int) -> c_int;
    fn FCGX_RequestParamAt(
        request: *const FcgxRequest,
        index: usize,
        name: *mut usize,
        length: *mut usize,
    ) -> *const c_char;
    fn FCGX_RequestRead(request: *mut FcgxRequest, buffer: *mut c_void, size: usize) -> isize;
    fn FCGX_RequestWrite(request: *mut FcgxRequest, data: *const c_void, size: usize) -> isize;
    fn FCGX_RequestLog(request: *mut FcgxRequest, text: *const c_void, size: usize) -> isize;
}

/// Returns the error that a negative result means.
fn check(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| {
        // SAFETY: the text is a string that is never freed.
        let text = unsafe { CStr::from_ptr(FCGX_ErrorText(result as c_int)) };
        io::Error::new(io::ErrorKind::Other, text.to_string_lossy())
    })
}

/// A request, or the place for the next one.
struct Request(NonNull<FcgxRequest>);

// SAFETY, for all calls below: the request lives until the drop, and the slices until the call returns.
impl Request {
    fn new(socket: c_int) -> Option<Self> {
        NonNull::new(unsafe { FCGX_RequestNew(socket, FCGX_TAKE_SIGNALS) }).map(Self)
    }

    /// Waits for a request. Returns false when the program should end.
    fn next(&mut self) -> io::Result<bool> {
        match unsafe { FCGX_RequestNext(self.0.as_ptr(), -1) } {
            FCGX_SHUT_DOWN => Ok(false),
            result => check(result as isize).map(|_| true),
        }
    }

    fn params(&self) -> HashMap<Vec<u8>, Vec<u8>> {
        let (mut name, mut length) = (0, 0);
        let entry = |index| unsafe {
            let entry = FCGX_RequestParamAt(self.0.as_ptr(), index, &mut name, &mut length);
            let text =
                (!entry.is_null()).then(|| slice::from_raw_parts(entry.cast::<u8>(), length))?;
            Some((text[..name].to_vec(), text[name + 1..].to_vec()))
        };
        (0..).map_while(entry).collect()
    }

    fn log(&mut self, text: &[u8]) -> io::Result<usize> {
        check(unsafe { FCGX_RequestLog(self.0.as_ptr(), text.as_ptr().cast(), text.len()) })
    }

    fn end(&mut self, status: c_int) -> io::Result<usize> {
        check(unsafe { FCGX_RequestEnd(self.0.as_ptr(), status) } as isize)
    }
}

impl Read for &Request {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        check(unsafe {
            FCGX_RequestRead(self.0.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len())
        })
    }
}

impl Write for &Request {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        check(unsafe { FCGX_RequestWrite(self.0.as_ptr(), data.as_ptr().cast(), data.len()) })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        unsafe { FCGX_RequestFree(self.0.as_ptr()) }
    }
}

fn serve(request: &mut Request) -> io::Result<()> {
    let params = request.params();
    let param = |name: &[u8]| params.get(name).map_or(&b""[..], Vec::as_slice);
    let query = param(b"QUERY_STRING");
    let mut head = b"Content-Type: application/octet-stream\r\nX-Method: ".to_vec();
    head.extend([param(b"REQUEST_METHOD"), b"\r\nX-Query: ", query].concat());
    head.extend(format!("\r\nX-Params: {}\r\n", params.len()).bytes());
    if let Some(value) = params.get(query) {
        head.extend([b"X-Value: ", &value[..], b"\r\n"].concat());
    }
    head.extend(b"\r\n");
    (&*request).write_all(&head)?;
    io::copy(&mut &*request, &mut &*request)?;
    request.log(b"served by Rust\n")?;
    request.end(if query == b"status=7" { 7 } else { 0 })?;
    Ok(())
}

fn main() -> io::Result<()> {
    let mut request = Request::new(0).ok_or(io::ErrorKind::OutOfMemory)?;
    while request.next()? {
        if let Err(error) = serve(&mut request) {
            eprintln!("echo: {error}");
        }
    }
    Ok(())
}
