//! Whole connections through the C API. Any bytes in: no crash, no hang, no descriptor left open. The
//! response consists of whole records, and the next valid request is answered.
#![no_main]

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::OnceLock;

use fcgi::internals::capi::fcgiapp::*;
use fcgi::internals::protocol::RecordType;
use fuzz_support::{record, records, request, send, so_far, until_closed};
use libfuzzer_sys::fuzz_target;

/// The most bytes of an input. More than fits into the sockets' buffers is not interesting here.
const MOST: usize = 20_000;

/// Returns where the program listens, and its listen socket.
fn listening() -> &'static (PathBuf, i32) {
    static LISTENING: OnceLock<(PathBuf, i32)> = OnceLock::new();
    LISTENING.get_or_init(|| {
        let path = std::env::temp_dir().join(format!("libfcgi-fuzz-{}", std::process::id()));
        let name = CString::new(path.as_os_str().as_bytes()).unwrap();
        assert_eq!(FCGX_Init(), 0);
        // SAFETY: the name is a string.
        let socket = unsafe { FCGX_OpenSocket(name.as_ptr(), 64) };
        assert!(socket >= 0);
        (path, socket)
    })
}

fn connect() -> UnixStream {
    UnixStream::connect(&listening().0).unwrap()
}

/// Serves as a program does until the request with the parameter GOOD is answered.
fn serve() {
    let mut memory = MaybeUninit::zeroed();
    let request: *mut FCGX_Request = memory.as_mut_ptr();
    let mut good = false;
    // SAFETY: the request lives until the end of this function; its streams are used only while they belong
    // to the request.
    unsafe {
        FCGX_InitRequest(request, listening().1, 0);
        while !good {
            assert_eq!(FCGX_Accept_r(request), 0);
            good = !FCGX_GetParam(c"GOOD".as_ptr(), (*request).envp).is_null();
            let mut buffer = [0; 100];
            let got = FCGX_GetStr(buffer.as_mut_ptr().cast(), 100, (*request).r#in);
            if got > 0 && buffer[0] == b'f' {
                FCGX_StartFilterData((*request).r#in);
                FCGX_GetChar((*request).r#in);
            }
            FCGX_PutStr(buffer.as_ptr().cast(), got, (*request).out);
            FCGX_Finish_r(request);
        }
        FCGX_Free(request, 1);
    }
}

fuzz_target!(|bytes: &[u8]| {
    let hostile = connect();
    // The lowest free number. It rises when descriptors are left open.
    assert!(hostile.as_raw_fd() < 100, "descriptors are left open");
    send(&hostile, &bytes[..bytes.len().min(MOST)]);
    let good = connect();
    send(&good, &request(false, b"\x04\x01GOOD1", b"good"));
    serve();
    records(&so_far(&hostile));
    let expected = [
        record(RecordType::STDOUT, 1, b"good"),
        record(RecordType::STDOUT, 1, b""),
        record(RecordType::END_REQUEST, 1, &[0; 8]),
    ];
    assert_eq!(records(&until_closed(&good)), records(&expected.concat()));
});
