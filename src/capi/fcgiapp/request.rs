//! Requests: initialising, accepting, finishing.

use std::ffi::{CStr, c_char, c_int};
use std::io;
use std::{mem, ptr};

use super::types::{FCGI_FAIL_ACCEPT_ON_INTR, FCGX_ParamArray, FCGX_Request, FCGX_Stream};
use crate::capi::fcgios::OS_CreateLocalIpcFd;
use crate::capi::stream::Stream;
use crate::capi::{envp, library, parked, request};
use crate::os::error::errno_of;
use crate::os::fork::Moment;
use crate::os::{environment, signal, socket};
use crate::serve::head::wait_alone;
use crate::serve::last::Last;
use crate::serve::rest::Owner;
use crate::serve::rest::Rest;
use crate::serve::{Connected, Terms, config, listeners};

/// FCGX_Accept_r before FCGX_Init.
const NOT_INITIALISED: c_int = -9998;

/// Whether the process was started as a CGI program: descriptor 0 is not a listen socket.
///
/// Results: 1 for CGI, 0 for FastCGI. Descriptor 0 is looked at in each call until it has been
/// found to be a listen socket; from then on the answer is 0.
///
/// Side effects: initialises the library as FCGX_Init does. Thread-safe.
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

/// Initialises the library. To be called before FCGX_Accept_r; FCGX_Accept and FCGX_IsCGI do it by
/// themselves.
///
/// Results: 0.
///
/// Side effects: reads the settings from the environment (LIBFCGI_ variables,
/// FCGI_WEB_SERVER_ADDRS); installs handlers for SIGTERM and SIGUSR1, as FCGX_ShutdownPending, and
/// for SIGPIPE, which does nothing, each only where the program has left the default or ignores the
/// signal. They run on the stack that a thread has for signals, if any (SA_ONSTACK). Called again it
/// does nothing, but after OS_LibShutdown it does all of this again and forgets that shutting down
/// was asked for before. Thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn FCGX_Init() -> c_int {
    library::initialise();
    0
}

/// Makes a listen socket for FCGX_InitRequest, at the lowest free descriptor.
///
/// path: "path" of a unix socket (107 bytes at most), ":port" or "*:port" for every IPv4
/// interface, "host:port", "[v6]:port" (port 0: any that is free). What has no number greater than
/// 0 behind its first colon is a path; "" makes a socket with an abstract name that the system
/// chooses.
/// backlog: how many connections may wait to be accepted; goes to listen(2) as it is.
///
/// Results: the descriptor, which executed programs inherit; -1 on failure, with errno: EINVAL
/// (NULL; a port above 65535), ENAMETOOLONG, EEXIST (anything else than a socket, an empty file or
/// a symbolic link is at the path), EADDRNOTAVAIL (an unknown host, or an address that is not this
/// machine's), and what socket(2), bind(2) and listen(2) set.
///
/// Side effects: a socket, an empty file or a symbolic link itself at the path is replaced, whether
/// in use or not. The reason of a failure, but for NULL, is written to stderr; the process is never
/// ended. Works before FCGX_Init. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_OpenSocket(path: *const c_char, backlog: c_int) -> c_int {
    // SAFETY: the caller passes NULL or a C string.
    unsafe { OS_CreateLocalIpcFd(path, backlog) }
}

/// Prepares a request for FCGX_Accept_r.
///
/// request: memory of the program's, of any contents. It must not hold a request that is accepted:
/// that one would be lost, with its connection left open. One that is finished may be in it; if its
/// connection is kept, it is served on.
/// sock: the listen socket: 0, or what FCGX_OpenSocket gave.
/// flags: 0 or FCGI_FAIL_ACCEPT_ON_INTR.
///
/// Results: 0; -1 if request is NULL.
///
/// Side effects: none besides. Works before FCGX_Init. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_InitRequest(
    request: *mut FCGX_Request,
    sock: c_int,
    flags: c_int,
) -> c_int {
    if request.is_null() {
        return -1;
    }
    let fresh = FCGX_Request { listen_sock: sock, flags, ..request::NO_REQUEST };
    // SAFETY: the caller's memory has room for a request.
    unsafe { request.write(fresh) };
    0
}

/// Waits for the next request. The request that the struct still holds is finished first.
///
/// While a thread waits here, it waits for new connections and for all kept ones of the same listen
/// socket together: the next request may come on the connection of the last one or on another. A
/// connection that the program has put into ipcFd itself, with keepConnection set, is read first;
/// without it the connection is closed. Where the request was initialised without a listen socket, or
/// the program has made that non-blocking, a kept connection stays with the struct and is waited for
/// alone.
///
/// Results: 0. Negative on failure: -EINTR when shutting down was asked for (SIGTERM, SIGUSR1,
/// FCGX_ShutdownPending) and, with FCGI_FAIL_ACCEPT_ON_INTR, after a signal that would interrupt
/// accept(2), by a handler without SA_RESTART; -EAGAIN when nothing is there and the program has made
/// its listen socket non-blocking, or after the time limit that it has set there (SO_RCVTIMEO); -EBADF, -ENOTSOCK
/// and other errors of accept4(2); -9998 before FCGX_Init. The struct holds no request then.
///
/// Side effects: in, out, err and envp are valid until the request is finished. What a connection
/// sends that is no request is answered or refused as the FastCGI specification says (4, 5.5); one
/// that is silent or slow for too long, or for which there is no memory, is closed (libfcgi(7));
/// web servers that FCGI_WEB_SERVER_ADDRS does not list are disconnected. From the second
/// thread or the first idle connection on, the listen socket is made non-blocking, with O_APPEND set as
/// well. A program that makes it so itself does that before the first call, or sets no other flag.
///
/// Thread-safe, with a request for each thread. Not to be called in signal handlers. One may leave it by
/// siglongjmp while it waits, and it may be called again: no lock is held, and connections that wait
/// together are served by later calls. One that is waited for alone stays open and is not served: of a
/// request without a listen socket, a new one whose head is on its way, and when shutting down any.
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
    // SAFETY: as above.
    match unsafe { accept(request) } {
        Ok(()) => 0,
        Err(error) => {
            // What its last request has left behind, which no other may come for.
            // SAFETY: as above.
            unsafe { request::end(request, true) };
            -errno_of(&error)
        }
    }
}

/// # Safety
///
/// `request` points to a request that was initialised and holds no accepted one.
unsafe fn accept(request: *mut FCGX_Request) -> io::Result<()> {
    // SAFETY: the caller's promise.
    let (sock, flags) = unsafe { ((*request).listen_sock, (*request).flags) };
    let terms = Terms {
        fail_on_intr: flags & FCGI_FAIL_ACCEPT_ON_INTR != 0,
        config: config::get(),
        until: None,
        looks: false,
    };
    // SAFETY: the caller's promise.
    let (given, place) = unsafe { (request::take_kept(request), parked::take_place(request)) };
    // SAFETY: the caller's promise.
    let fd = unsafe { mem::replace(&mut (*request).ipcFd, -1) };
    let returns = given.is_some() || place.is_some();
    let owner = if returns { Owner::Returns } else { Owner::MayBeGone };
    let mut listener = match listeners::of(sock) {
        Ok(listener) => listener,
        Err(error) => {
            given.into_iter().for_each(|given| given.close(false));
            return Err(error.into());
        }
    };
    let mut last = match (given, place) {
        // The parent's: it will go on serving that connection.
        (Some(given), _) if given.is_inherited() => {
            given.close_copy();
            Some(Last::None)
        }
        (Some(given), _) => Some(Last::Given(given)),
        (None, Some(place)) => parked::last(&listener, place, fd),
        (None, None) => None,
    };
    // SAFETY: the caller's promise.
    if last.is_none() && fd >= 0 && unsafe { accept_on(request, fd, &terms)? } {
        return Ok(());
    }
    loop {
        let (connected, begin) = match listener.next(terms, last.take().unwrap_or(Last::None)) {
            Ok(arrival) => arrival,
            Err(_) if listener.is_parents() => {
                listener = listeners::of(sock)?;
                continue;
            }
            Err(error) => {
                if signal::shutdown_requested() {
                    listeners::stop_waiting(listener);
                }
                return Err(error);
            }
        };
        // SAFETY: the caller's promise. A request for which there is no memory is lost; others may
        // do.
        if unsafe { request::begin(request, connected, begin, owner) }.is_ok() {
            return Ok(());
        }
    }
}

/// Waits for a request on a connection that the program itself has put into `request`. False when it ends
/// without one.
///
/// # Safety
///
/// As for [`accept`].
unsafe fn accept_on(request: *mut FCGX_Request, fd: c_int, terms: &Terms) -> io::Result<bool> {
    let connected = Connected::open(fd, Moment::now())?;
    let Some((connected, begin)) = wait_alone(connected, Rest::IDLE, None, terms)? else {
        return Ok(false);
    };
    // SAFETY: the caller's promise.
    Ok(unsafe { request::begin(request, connected, begin, Owner::MayBeGone) }.is_ok())
}

/// Finishes a request: sends what its streams still hold, their ends, and FCGI_END_REQUEST with
/// the exit status (specification 5.5).
///
/// Side effects: in, out, err and envp become NULL. The connection is closed, or kept if the web
/// server wants that (FCGI_KEEP_CONN), keepConnection is still set, nothing went wrong and shutting
/// down was not asked for: then it waits for its next request in the library, and any thread in
/// FCGX_Accept_r may get that. The struct may be used again, initialised anew or freed. ipcFd keeps
/// the number: it may be polled, and FCGX_Free ends the wait. To close it with close(2) is safe only
/// where no other thread serves requests. Closing waits at most LIBFCGI_OS_CLOSE_POLL_TIMEOUT for a
/// web server that is still sending, so that it does not lose the answer. Errors are not reported: call FCGX_FClose first to see them. NULL, a fresh request
/// and a finished one: nothing happens.
///
/// Thread-safe for different requests; may be called by another thread than FCGX_Accept_r was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_Finish_r(request: *mut FCGX_Request) {
    if request.is_null() {
        return;
    }
    // SAFETY: the caller passes a request that was initialised.
    unsafe {
        if (*request).paramsPtr.is_null() && (*request).ipcFd < 0 {
            return;
        }
        let mut good = true;
        if !(*request).r#in.is_null() {
            if (*request).keepConnection != 0 && signal::shutdown_requested() {
                // Its end comes with the answer, so that no web server sends another request.
                (*request).keepConnection = 0;
            }
            good = request::close_streams(request) && request::is_sound(request);
        }
        if good && (*request).keepConnection != 0 {
            if !(*request).r#in.is_null() {
                request::withdraw(request);
                parked::give_back(request);
            }
        } else {
            request::end(request, true);
        }
    }
}

/// Gives up a request without finishing it: nothing is sent, not even what its streams hold.
///
/// close: not 0 to close the connection, too; 0 to leave it open in ipcFd, for the program.
///
/// Side effects: in, out, err and envp become NULL; with close, ipcFd becomes -1. NULL, fresh and
/// finished requests: only the connection is closed, or left to the program, if there is one. Where
/// another thread has the next request on it, it goes on, and ipcFd becomes -1.
///
/// Thread-safe for different requests.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_Free(request: *mut FCGX_Request, close: c_int) {
    if !request.is_null() {
        // SAFETY: the caller passes a request that was initialised.
        unsafe { request::end(request, close != 0) };
    }
}

/// FCGX_Accept_r for programs with one request: on descriptor 0, after initialising the library if
/// need be.
///
/// Results: as FCGX_Accept_r. On failure all four places are set to NULL.
///
/// Side effects: as FCGX_Accept_r; *in, *out, *err and *envp are those of the request.
///
/// Thread safety: none; one thread at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_Accept(
    r#in: *mut *mut FCGX_Stream,
    out: *mut *mut FCGX_Stream,
    err: *mut *mut FCGX_Stream,
    envp: *mut FCGX_ParamArray,
) -> c_int {
    library::initialise();
    let request = library::the_request();
    // SAFETY: the library's own request, initialised above.
    let result = unsafe { FCGX_Accept_r(request) };
    environment::written_to(envp);
    // SAFETY: the caller passes NULL or places of its own. After a failure the request's pointers
    // are NULL.
    unsafe {
        put(r#in, (*request).r#in);
        put(out, (*request).out);
        put(err, (*request).err);
        put(envp, (*request).envp);
    }
    result
}

/// # Safety
///
/// `place` is NULL or may be written.
unsafe fn put<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: the caller's promise.
        unsafe { place.write(value) };
    }
}

/// FCGX_Finish_r for the request of FCGX_Accept.
///
/// Thread safety: none; one thread at a time.
#[unsafe(no_mangle)]
pub extern "C" fn FCGX_Finish() {
    if library::is_initialised() {
        // SAFETY: the library's own request, initialised with the library.
        unsafe { FCGX_Finish_r(library::the_request()) };
    }
}

/// The value of a parameter.
///
/// name: the whole name, without "=".
/// envp: a vector of "NAME=value" strings that ends with NULL, as in FCGX_Request.
///
/// Results: the value, within the first string that has this name; NULL if there is none, and
/// if name or envp is NULL.
///
/// Side effects: none. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_GetParam(name: *const c_char, envp: FCGX_ParamArray) -> *mut c_char {
    if name.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: the caller passes a C string and a vector that ends with NULL, or NULL.
    unsafe { envp::find(CStr::from_ptr(name), envp) }
}

/// Sets the exit status that FCGI_END_REQUEST reports (specification 5.5, appStatus); 0 without
/// this call.
///
/// stream: any stream of the request, not finished. Other streams: nothing happens.
///
/// Side effects: sets appStatus of the request. Thread-safe for different requests.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_SetExitStatus(status: c_int, stream: *mut FCGX_Stream) {
    // SAFETY: the caller passes a stream or NULL.
    let Some(stream) = (unsafe { Stream::new(stream) }) else { return };
    let request = request::request_of(stream);
    if !request.is_null() {
        // SAFETY: the request that the stream belongs to, which must not move before it ends.
        unsafe { (*request).appStatus = status };
    }
}

/// Asks every thread that waits for a request to stop: FCGX_Accept_r fails with -EINTR, in this
/// call and in every later one until OS_LibShutdown and FCGX_Init have been called. Requests in
/// progress are not disturbed. No new connection is taken. Those that are open may have a request on
/// its way: Accept waits for it, for LIBFCGI_DRAIN milliseconds (60 by default) of silence on each, and
/// gives it to the program as usual. So a program calls Accept until it fails before it ends.
///
/// Side effects: each connection is closed with the answer to its request, or by a waiting thread when
/// its time is over. errno stays as it is. While a thread waits in accept4, another descriptor
/// stands at the listen socket's number until Accept returns: a signal handler that does anything
/// with the listen socket does it before.
///
/// Async-signal-safe and thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn FCGX_ShutdownPending() {
    signal::request_shutdown();
}

/// Takes FCGX_Detach back.
///
/// Results: 0; -1 if r is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_Attach(r: *mut FCGX_Request) -> c_int {
    if r.is_null() {
        return -1;
    }
    // SAFETY: the caller passes a request that was initialised.
    unsafe { (*r).detached = 0 };
    0
}

/// Notes that another process, forked in the middle of the request, goes on with its connection:
/// closing it here closes only this process's descriptor, without shutting the connection down.
///
/// Results: 0; -1 if r is NULL or has no connection (descriptor 0 counts as none).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGX_Detach(r: *mut FCGX_Request) -> c_int {
    // SAFETY: the caller passes NULL or a request that was initialised.
    if r.is_null() || unsafe { (*r).ipcFd } <= 0 {
        return -1;
    }
    // SAFETY: as above.
    unsafe { (*r).detached = 1 };
    0
}
