//! Accepting and finishing requests.

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

/// A value of [`PHASE`]: the program has no request.
const IDLE: u8 = 0;
/// A value of [`PHASE`]: the program has a FastCGI request, whose envp is `environ`.
const SERVING: u8 = 1;
/// A value of [`PHASE`]: the program runs as a CGI program, and has its request.
const CGI: u8 = 2;

/// What the program is doing.
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
    // SAFETY: the four variables live across the call.
    let result = unsafe { FCGX_Accept(&mut input, &mut output, &mut error, &mut envp) };
    if result < 0 {
        return result;
    }
    let files = [input, output, error]
        .map(|fcgx_stream| FCGI_FILE { stdio_stream: ptr::null_mut(), fcgx_stream });
    set_standard(files);
    // SAFETY: envp lives until the request is finished, and leave_request comes before that. The caller
    // keeps the environment to the thread that calls FCGI_Accept.
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
    // SAFETY: FCGI_stdin is always a FCGI_FILE, and its stream is NULL or alive.
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
    // The program may have closed some of the streams; any other one leads to the request.
    for file in standard() {
        // SAFETY: the standard streams are always FCGI_FILEs.
        if let Target::Stream(stream) = unsafe { target(file) } {
            // SAFETY: a standard stream is NULL or alive: leave_request sets it to NULL.
            return unsafe { FCGX_SetExitStatus(status, stream) };
        }
    }
}

/// Sets FCGI_stdin, FCGI_stdout and FCGI_stderr.
fn set_standard(files: [FCGI_FILE; 3]) {
    for (place, file) in standard().into_iter().zip(files) {
        // SAFETY: the three places are the elements of _fcgi_sF, whose type has no destructor.
        unsafe { place.write(file) };
    }
}

/// Makes the C library's standard files the three streams.
fn begin_cgi() {
    // SAFETY: the C library defines the three variables, for programs to read.
    let files = unsafe { [stdin, stdout, stderr] };
    set_standard(
        files.map(|stdio_stream| FCGI_FILE { stdio_stream, fcgx_stream: ptr::null_mut() }),
    );
    PHASE.store(CGI, Ordering::Relaxed);
}

/// Sets the streams and the environment of a FastCGI request to NULL, before it is finished.
fn leave_request() {
    if PHASE.swap(IDLE, Ordering::Relaxed) != SERVING {
        return;
    }
    for file in standard() {
        // A FILE that the program has put there stays.
        // SAFETY: a standard stream is an element of _fcgi_sF.
        unsafe { (*file).fcgx_stream = ptr::null_mut() };
    }
    // SAFETY: environ may be NULL. The caller keeps the environment to the thread that calls this.
    unsafe { environment::replace(ptr::null_mut()) };
}

/// Registers FCGI_Finish, once, so that exit() finishes the request in progress.
fn finish_at_exit() {
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    if !REGISTERED.swap(true, Ordering::Relaxed) {
        // If out of memory, exit() aborts the request.
        // SAFETY: FCGI_Finish may run at any time.
        unsafe { libc::atexit(FCGI_Finish) };
    }
}
