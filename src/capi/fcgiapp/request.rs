//! Requests: initialising, accepting, finishing.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use crate::capi::fcgios::OS_CreateLocalIpcFd;
use crate::capi::layout::{FCGX_ParamArray, FCGX_Request, FCGX_Stream, NO_REQUEST};
use crate::capi::stream::Stream;
use crate::capi::{accept, envp, finish, library, request};
use crate::os::error::errno_of;
use crate::os::{environment, shutdown, socket};

/// The result of FCGX_Accept_r before FCGX_Init.
const NOT_INITIALISED: c_int = -9998;

/// Tells whether the process was started as a CGI program: whether descriptor 0 is anything but a
/// listen socket.
///
/// Returns: 1 for CGI, 0 for FastCGI.
///
/// Side effects: initialises the library as FCGX_Init does. Looks at descriptor 0 in each call
/// until it finds a listen socket there; from then on the result is 0.
///
/// Specification: 2.2.
#[unsafe(no_mangle)]
pub extern "C" fn FCGX_IsCGI() -> c_int {
    use std::sync::atomic::{AtomicBool, Ordering};
    static FASTCGI: AtomicBool = AtomicBool::new(false);
    library::initialise();
    if FASTCGI.load(Ordering::Relaxed) {
        return 0;
    }
    let found = socket::is_listening(0);
    FASTCGI.store(found, Ordering::Relaxed);
    c_int::from(!found)
}

/// Initialises the library: reads the settings from the environment and installs signal handlers. A
/// program calls it before FCGX_Accept_r. FCGX_Accept and FCGX_IsCGI call it themselves.
///
/// Returns: 0.
///
/// Side effects: SIGTERM and SIGUSR1 get a handler that does what FCGX_ShutdownPending does, and
/// SIGPIPE gets one that does nothing. Each is installed only where the program has left the
/// default or ignores the signal. The handlers run on a thread's alternate signal stack, if it has
/// one (SA_ONSTACK). A second call does nothing. After OS_LibShutdown a call does all of this again
/// and forgets an earlier request to shut down.
#[unsafe(no_mangle)]
pub extern "C" fn FCGX_Init() -> c_int {
    library::initialise();
    0
}

/// Makes a listen socket at the lowest free descriptor. Works before FCGX_Init.
///
/// Parameters:
/// - path: "path" of a unix socket (at most 107 bytes), ":port" or "*:port" for every IPv4
///   interface, "host:port", or "[v6]:port" (port 0: any free port). A name without a number
///   greater than 0 after its first colon is a path. "" makes a socket with an abstract name that
///   the system chooses.
/// - backlog: the number of connections that may wait to be accepted, as for listen(2).
///
/// Returns: the descriptor, which executed programs inherit; -1 on failure.
///
/// Errors: EINVAL if path is NULL or the port is above 65535. ENAMETOOLONG if path is too long.
/// EEXIST if anything but a socket, an empty file or a symbolic link is at the path. EADDRNOTAVAIL
/// if the host is unknown or the address is not this machine's. Otherwise as socket(2), bind(2) and
/// listen(2) set errno.
///
/// Side effects: replaces a socket, an empty file or a symbolic link at the path, whether in use or
/// not. Threads and kept connections of an earlier listen socket at the same descriptor continue with
/// the new one. Writes the reason of a failure to stderr, except for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_OpenSocket(path: *const c_char, backlog: c_int) -> c_int {
    // SAFETY: the caller passes NULL or a C string.
    unsafe { OS_CreateLocalIpcFd(path, backlog) }
}

/// Prepares a request for FCGX_Accept_r. Works before FCGX_Init.
///
/// Parameters:
/// - request: memory of the program, with any contents. It must not hold an accepted request, which
///   would be lost with its connection open. It may hold a finished one, whose kept connection is
///   still served.
/// - sock: the listen socket: 0, or the result of FCGX_OpenSocket.
/// - flags: 0 or FCGI_FAIL_ACCEPT_ON_INTR.
///
/// Returns: 0; -1 if request is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_InitRequest(
    request: *mut FCGX_Request,
    sock: c_int,
    flags: c_int,
) -> c_int {
    if request.is_null() {
        return -1;
    }
    let fresh = FCGX_Request { listen_sock: sock, flags, ..NO_REQUEST };
    // SAFETY: the caller's memory, not NULL, has room for a request.
    unsafe { request.write(fresh) };
    0
}

/// Waits for the next request. Finishes the request that the struct still holds first.
///
/// A thread waits for new connections and for all kept ones of the same listen socket together, so
/// the next request may come on the connection of the last one or on another. A connection that the
/// program itself has put into ipcFd is read first if keepConnection is set, and closed if not. If
/// the request has no listen socket, or the program has made that non-blocking, a kept connection
/// stays with the struct and is waited for alone.
///
/// Returns: 0; the negated error on failure, or -9998 before FCGX_Init. After a failure the struct
/// holds no request.
///
/// Errors: EINTR if shutdown was requested (SIGTERM, SIGUSR1, FCGX_ShutdownPending); with
/// FCGI_FAIL_ACCEPT_ON_INTR also after a signal whose handler has no SA_RESTART. EAGAIN if the
/// program has made its listen socket non-blocking and no request is ready, or if the time limit
/// that it has set there (SO_RCVTIMEO) is over. EBADF or ENOTSOCK if sock is not a listen socket.
/// EPERM or ENOSYS if a sandbox refuses the system calls. EINVAL if request is NULL. Otherwise as
/// accept4(2). The result has the error; errno is unspecified.
///
/// Side effects: sets in, out, err and envp, which are valid until the request is finished. Answers
/// or refuses records that belong to no request. Closes a connection that is silent or slow for too
/// long, or for which memory is short (libfcgi(7)), and one of a web server that
/// FCGI_WEB_SERVER_ADDRS does not list. From the second thread or the first idle connection on,
/// makes the listen socket non-blocking and sets O_APPEND as well. A program that wants it
/// non-blocking itself does that before the first call, or sets no other flag.
///
/// Threads and signals: a signal handler may leave it by siglongjmp while it waits, and it may be
/// called again. No lock is held, and connections that wait together are served by later calls. A
/// connection that is waited for alone stays open and is not served: that of a request without a
/// listen socket, a new one whose head is arriving, and any during shutdown.
///
/// Specification: 3.2, 4, 5.1, 5.2, 5.5.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_Accept_r(request: *mut FCGX_Request) -> c_int {
    if !library::go_on() {
        return NOT_INITIALISED;
    }
    if request.is_null() {
        return -libc::EINVAL;
    }
    // SAFETY: the caller passes a request that was initialised.
    unsafe { FCGX_Finish_r(request) };
    // SAFETY: the caller passes a request that was initialised.
    let options = accept::options_of(unsafe { (*request).flags });
    // SAFETY: the request was initialised, and FCGX_Finish_r has left none accepted in it.
    match unsafe { accept::next(request, &options) } {
        Ok(()) => 0,
        Err(error) => {
            // No other request may come for what the last one has left: a parked connection, a block.
            // SAFETY: the caller passes a request that was initialised.
            unsafe { request::close(request) };
            -errno_of(&error)
        }
    }
}

/// Finishes a request: sends what its streams still hold, their ends, and FCGI_END_REQUEST with the
/// exit status. Does nothing if the struct holds no request in progress. Does not report errors:
/// call FCGX_FClose first to see them.
///
/// Side effects: sets in, out, err and envp to NULL. The struct may be used again, initialised anew
/// or freed. Closes the connection, or keeps it if all of these hold: the web server wants that
/// (FCGI_KEEP_CONN), keepConnection is still set, no error happened, and shutdown was not
/// requested. A kept connection waits for its next request in the library, and any thread in
/// FCGX_Accept_r may get that. ipcFd keeps the number and may be polled; FCGX_Free ends the wait.
/// Closing it with close(2) is safe only if no other thread serves requests. Closing waits at most
/// LIBFCGI_OS_CLOSE_POLL_TIMEOUT for a web server that is still sending, so that it does not lose
/// the response.
///
/// Threads and signals: may be called by another thread than FCGX_Accept_r was.
///
/// Specification: 3.5, 5.5.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_Finish_r(request: *mut FCGX_Request) {
    if request.is_null() {
        return;
    }
    // SAFETY: the caller passes a request that was initialised.
    unsafe { finish::finish(request) };
}

/// Abandons a request without finishing it: sends nothing, not even what its streams hold. On a
/// fresh or finished request it only closes the connection, or leaves it to the program.
///
/// Parameters:
/// - close: not 0 to close the connection; 0 to leave it open in ipcFd, for the program.
///
/// Side effects: sets in, out, err and envp to NULL, and with close ipcFd to -1. If another thread
/// already has the next request of a kept connection, that goes on, and ipcFd becomes -1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_Free(request: *mut FCGX_Request, close: c_int) {
    if !request.is_null() {
        // SAFETY: the caller passes a request that was initialised.
        unsafe { if close != 0 { request::close(request) } else { request::leave(request) } };
    }
}

/// Waits for the next request on descriptor 0, as FCGX_Accept_r does, for programs with one
/// request. Initialises the library if needed.
///
/// Parameters:
/// - in, out, err, envp: where the streams and the parameters of the request are stored. NULL
///   stores nothing.
///
/// Returns: as FCGX_Accept_r. On failure it stores NULL in all four places.
///
/// Errors: as FCGX_Accept_r.
///
/// Side effects: as FCGX_Accept_r.
///
/// Threads and signals: for one thread at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_Accept(
    r#in: *mut *mut FCGX_Stream,
    out: *mut *mut FCGX_Stream,
    err: *mut *mut FCGX_Stream,
    envp: *mut FCGX_ParamArray,
) -> c_int {
    library::initialise();
    let request = library::the_request();
    // SAFETY: the library's own request is initialised from the start.
    let result = unsafe { FCGX_Accept_r(request) };
    environment::note_written(envp);
    // SAFETY: the caller passes NULL or variables of its own. After a failure the request's pointers are
    // NULL.
    unsafe {
        put(r#in, (*request).r#in);
        put(out, (*request).out);
        put(err, (*request).err);
        put(envp, (*request).envp);
    }
    result
}

/// Stores a value, unless `place` is NULL.
///
/// # Safety
///
/// `place` is NULL or may be written.
unsafe fn put<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: not NULL, so the caller lets it be written.
        unsafe { place.write(value) };
    }
}

/// Finishes the request of FCGX_Accept, as FCGX_Finish_r does.
///
/// Side effects: as FCGX_Finish_r.
///
/// Threads and signals: for one thread at a time.
#[unsafe(no_mangle)]
pub extern "C" fn FCGX_Finish() {
    if library::is_initialised() {
        // SAFETY: the library's own request is initialised from the start.
        unsafe { FCGX_Finish_r(library::the_request()) };
    }
}

/// Looks up a parameter.
///
/// Parameters:
/// - name: the whole name, without "=".
/// - envp: an array of "NAME=value" strings that ends with NULL, such as that of a FCGX_Request.
///
/// Returns: the value, inside the first string with this name; NULL if no string has it, or if name
/// or envp is NULL.
///
/// Specification: 5.2.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_GetParam(name: *const c_char, envp: FCGX_ParamArray) -> *mut c_char {
    if name.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: the caller passes a C string and a vector that ends with NULL, or NULL.
    unsafe { envp::find(CStr::from_ptr(name), envp) }
}

/// Sets the exit status that FCGI_END_REQUEST reports (appStatus). It is 0 when a request begins.
///
/// Parameters:
/// - stream: any stream of the request, before it is finished. Other streams: the call does
///   nothing.
///
/// Side effects: sets appStatus of the request.
///
/// Specification: 5.5.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_SetExitStatus(status: c_int, stream: *mut FCGX_Stream) {
    // SAFETY: the caller passes a stream or NULL.
    let Some(stream) = (unsafe { Stream::new(stream) }) else { return };
    let request = request::request_of(stream);
    if !request.is_null() {
        // SAFETY: a request must not move while its streams are in use; the caller keeps to that.
        unsafe { (*request).appStatus = status };
    }
}

/// Requests shutdown: FCGX_Accept_r fails with -EINTR in every thread, in this call and in later
/// ones, until OS_LibShutdown and FCGX_Init have been called. Requests in progress go on, and no
/// new connection is accepted.
///
/// An open connection may have sent a request already. Accept waits for it, for LIBFCGI_DRAIN
/// milliseconds (60 by default) of silence on each connection, and returns it as usual. So a
/// program calls Accept until it fails before it ends.
///
/// Side effects: each connection is closed with the response to its request, or by a waiting thread
/// when its time is over. errno stays as it is. While a thread waits in accept4, another descriptor
/// stands at the listen socket's number until Accept returns: a signal handler that uses the listen
/// socket does so before this call.
///
/// Threads and signals: async-signal-safe.
#[unsafe(no_mangle)]
pub extern "C" fn FCGX_ShutdownPending() {
    shutdown::request();
}

/// Undoes FCGX_Detach.
///
/// Returns: 0; -1 if r is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_Attach(r: *mut FCGX_Request) -> c_int {
    if r.is_null() {
        return -1;
    }
    // SAFETY: the caller passes a request that was initialised.
    unsafe { (*r).detached = 0 };
    0
}

/// Notes that another process, forked during the request, continues on its connection: closing it
/// here closes only this process's descriptor, without shutting the connection down.
///
/// Returns: 0; -1 if r is NULL or has no connection (descriptor 0 does not count as one).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_Detach(r: *mut FCGX_Request) -> c_int {
    // SAFETY: the caller passes NULL or a request that was initialised.
    if r.is_null() || unsafe { (*r).ipcFd } <= 0 {
        return -1;
    }
    // SAFETY: not NULL, so the caller passes a request that was initialised.
    unsafe { (*r).detached = 1 };
    0
}
