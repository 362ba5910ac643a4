//! A program's life: accepting and finishing requests.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use libc::{FILE, c_int};

use super::target::{FCGI_FILE, Target, standard, standard_in, target};
use crate::capi::fcgiapp::{
    FCGX_Accept, FCGX_Finish, FCGX_IsCGI, FCGX_SetExitStatus, FCGX_StartFilterData,
};
use crate::os::environment;

unsafe extern "C" {
    static mut stdin: *mut FILE;
    static mut stdout: *mut FILE;
    static mut stderr: *mut FILE;
}

/// What [`PHASE`] says: no request is in the program's hands.
const IDLE: u8 = 0;
/// A FastCGI request is; `environ` is its envp.
const SERVING: u8 = 1;
/// The program runs as a CGI program: the process is the request.
const CGI: u8 = 2;

static PHASE: AtomicU8 = AtomicU8::new(IDLE);

/// Waits for the next request and makes it the program's standard input, output, error and
/// environment. Finishes the request before, if the program has not.
///
/// A program whose descriptor 0 is not a listen socket was started as a CGI program. Its first call
/// leaves the environment alone, makes the C library's standard files the three streams and returns
/// 0. Every later call fails. So one loop, while (FCGI_Accept() >= 0), serves both.
///
/// Returns: 0; -1 in a CGI program that has had its request; otherwise as FCGX_Accept.
///
/// Errors: as FCGX_Accept.
///
/// Side effects: sets FCGI_stdin, FCGI_stdout, FCGI_stderr and environ. The program may change the
/// environment in every way until the request is finished. From the first request on, exit() and
/// the return from main() finish the request in progress. After a failure in FastCGI the three
/// streams are closed, and environ is NULL if a request had replaced it.
///
/// Specification: 2.2, 6.2.
#[unsafe(no_mangle)]
pub extern "C" fn FCGI_Accept() -> c_int {
    if PHASE.load(Ordering::Relaxed) == CGI {
        return -1;
    }
    if FCGX_IsCGI() != 0 {
        begin_cgi();
        return 0;
    }
    leave_request();
    let [mut input, mut output, mut error] = [ptr::null_mut(); 3];
    let mut envp = ptr::null_mut();
    // SAFETY: the four places live across the call.
    let result = unsafe { FCGX_Accept(&mut input, &mut output, &mut error, &mut envp) };
    if result < 0 {
        return result;
    }
    let files = [input, output, error]
        .map(|fcgx_stream| FCGI_FILE { stdio_stream: ptr::null_mut(), fcgx_stream });
    set_standard(files);
    // SAFETY: envp lives until the request is finished, which goes through leave_request. The program
    // that uses the environment is the thread that called us.
    unsafe { environment::replace(envp) };
    PHASE.store(SERVING, Ordering::Relaxed);
    finish_at_exit();
    0
}

/// Finishes the request in progress, as FCGX_Finish does. Does nothing without a request, and in a
/// CGI program.
///
/// Side effects: closes FCGI_stdin, FCGI_stdout and FCGI_stderr, and sets environ to NULL: the
/// environment was the request's.
///
/// Specification: 5.5.
#[unsafe(no_mangle)]
pub extern "C" fn FCGI_Finish() {
    if PHASE.load(Ordering::Relaxed) == SERVING {
        leave_request();
        FCGX_Finish();
    }
}

/// Moves FCGI_stdin from the end of the standard input to the file that a Filter works on, as
/// FCGX_StartFilterData does.
///
/// Returns: 0; -1 in a CGI program and if FCGI_stdin is closed; otherwise as FCGX_StartFilterData.
///
/// Specification: 6.4.
#[unsafe(no_mangle)]
pub extern "C" fn FCGI_StartFilterData() -> c_int {
    // SAFETY: FCGI_stdin always is a FCGI_FILE, and its stream lives as long as it is set.
    unsafe {
        match target(standard_in()) {
            Target::Stream(stream) => FCGX_StartFilterData(stream),
            Target::File(_) | Target::Closed => -1,
        }
    }
}

/// Sets the exit status that the web server receives when the request in progress is finished, as
/// exit() would in a CGI program. Does nothing without a request.
///
/// Specification: 5.5.
#[unsafe(no_mangle)]
pub extern "C" fn FCGI_SetExitStatus(status: c_int) {
    // Any stream names the request, and the program may have closed some.
    for file in standard() {
        // SAFETY: the standard streams always are FCGI_FILEs, and theirs live while they are set.
        if let Target::Stream(stream) = unsafe { target(file) } {
            // SAFETY: as above.
            return unsafe { FCGX_SetExitStatus(status, stream) };
        }
    }
}

fn set_standard(files: [FCGI_FILE; 3]) {
    for (place, file) in standard().into_iter().zip(files) {
        // SAFETY: the three places are the elements of _fcgi_sF, and hold nothing to be dropped.
        unsafe { place.write(file) };
    }
}

fn begin_cgi() {
    // SAFETY: the C library keeps the three; reading them is what C programs do.
    let files = unsafe { [stdin, stdout, stderr] };
    set_standard(
        files.map(|stdio_stream| FCGI_FILE { stdio_stream, fcgx_stream: ptr::null_mut() }),
    );
    PHASE.store(CGI, Ordering::Relaxed);
}

/// Takes from the program what dies with its request.
fn leave_request() {
    if PHASE.swap(IDLE, Ordering::Relaxed) != SERVING {
        return;
    }
    for file in standard() {
        // SAFETY: a standard stream is an element of _fcgi_sF. A FILE that the program has put
        // there stays.
        unsafe { (*file).fcgx_stream = ptr::null_mut() };
    }
    // SAFETY: environ may be NULL, and the program that uses it is the thread that called us.
    unsafe { environment::replace(ptr::null_mut()) };
}

/// Sees to it that exit() finishes the request in progress.
fn finish_at_exit() {
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    if !REGISTERED.swap(true, Ordering::Relaxed) {
        // SAFETY: FCGI_Finish may run at any time. Out of memory, exit() breaks the request off.
        unsafe { libc::atexit(FCGI_Finish) };
    }
}
