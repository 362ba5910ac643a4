//! fcgios.h: descriptors, sockets and processes under the OS_ names.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::fmt::Write;
use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use super::library;
use crate::os::async_io::{self, Direction};
use crate::os::error::{errno_of, set_errno, words};
use crate::os::memory::boxed;
use crate::os::{io as fd_io, signal, socket, spawn};
use crate::serve::peers::PeerList;
use crate::serve::{blocking, config, connected, listeners};

/// What a program hands to an asynchronous operation and gets back in its procedure.
pub type ClientData = *mut c_void;

/// Called by OS_DoIo when an asynchronous operation is done: `len` is the number of bytes, 0 at
/// the end of the file, -1 with errno after an error. It may start, cancel and close anything.
pub type OS_AsyncProc = Option<unsafe extern "C" fn(clientData: ClientData, len: c_int)>;

/// Sets errno from `error` and gives -1.
fn fail(error: &io::Error) -> c_int {
    set_errno(errno_of(error));
    -1
}

fn error(errno: c_int) -> io::Error {
    io::Error::from_raw_os_error(errno)
}

fn status(result: io::Result<()>) -> c_int {
    value(result.map(|()| 0))
}

fn value(result: io::Result<c_int>) -> c_int {
    result.unwrap_or_else(|error| fail(&error))
}

/// Sizes here never exceed INT_MAX, so that the result can say them.
fn count(result: io::Result<usize>) -> c_int {
    value(result.map(|n| c_int::try_from(n).unwrap_or(c_int::MAX)))
}

/// The bytes of a C string; NULL is an empty one.
///
/// # Safety
///
/// `text` is NULL or satisfies the requirements of `CStr::from_ptr`.
unsafe fn bytes<'a>(text: *const c_char) -> &'a [u8] {
    if text.is_null() {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_bytes()
}

/// Initialises the library: reads the settings (libfcgi(7)); installs handlers for SIGTERM and SIGUSR1
/// (finish the request in progress, then stop accepting) and for SIGPIPE (does nothing), each only
/// where the program has left the default or ignores the signal. After OS_LibShutdown it begins anew.
///
/// stdioFds: not used on Unix; may be NULL.
///
/// Results: 0.
///
/// Side effects: as above. Called again it only installs the handlers. Every function of this header
/// works without it; the settings have their defaults then. Thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn OS_LibInit(stdioFds: *mut c_int) -> c_int {
    let _ = stdioFds;
    library::install();
    0
}

/// Gives back what the library holds: forgets asynchronous operations that still wait, closes idle
/// connections, frees spare memory. The next FCGX_Init, FCGX_IsCGI, FCGX_Accept, FCGI_Accept or
/// OS_LibInit begins anew: it forgets a wish to shut down that was there before, installs the handlers
/// and, unless environ is or was a request's, reads the settings. The library can be unloaded now.
///
/// Signals: unless a thread waits for a request or one is in progress (or finished, with its connection
/// kept), SIGTERM and SIGUSR1 do again what they did before the library was initialised. A handler
/// that the program has set since stays, and so does the library's for SIGPIPE.
///
/// Side effects: as above. A program may go on without beginning anew: a wish to shut down stays, and
/// the next FCGX_Accept_r or OS_Accept installs the handlers again. Calling it again is harmless.
/// Thread-safe, but not for signal handlers.
#[unsafe(no_mangle)]
pub extern "C" fn OS_LibShutdown() {
    async_io::cancel_all();
    library::shut_down();
}

/// Makes a listen socket at the lowest free descriptor.
///
/// bindPath: "path" of a unix socket (up to 107 bytes), ":port" or "*:port" (every IPv4 interface),
/// "host:port" or `[v6]:port` (port 0: any that is free). What has no number greater than 0 behind its
/// first colon is a path; "" makes a socket with an abstract name that the system chooses.
/// backlog: how many connections may wait to be accepted; goes to listen(2) as it is.
///
/// Results: the descriptor, which executed programs inherit; -1 after an error, with errno:
/// EINVAL for NULL and for a port above 65535, ENAMETOOLONG, EADDRNOTAVAIL for an unknown host and
/// for an address that is not this machine's, EEXIST if anything else than a socket, an empty file
/// or a symbolic link is at the path, and what socket(2), bind(2) and listen(2) set.
///
/// Side effects: a socket, an empty file or a symbolic link itself at the path is replaced, whether
/// in use or not; idle connections of an earlier listen socket at the descriptor are closed. The reason
/// of an error, but for NULL, is written to stderr. Thread-safe.
///
/// Requires: `bindPath` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn OS_CreateLocalIpcFd(bindPath: *const c_char, backlog: c_int) -> c_int {
    if bindPath.is_null() {
        return fail(&error(libc::EINVAL));
    }
    // SAFETY: the caller passes a C string.
    let name = unsafe { bytes(bindPath) };
    let result = socket::listen(name, backlog).inspect(|&fd| listeners::opened(fd));
    if let Err(reason) = &result {
        let (name, reason) = (String::from_utf8_lossy(name), words(reason));
        let _ = writeln!(fd_io::Stderr, "libfcgi: cannot listen on {name}: {reason}");
    }
    value(result)
}

/// Connects to the listen socket of a FastCGI application.
///
/// bindPath: names as for OS_CreateLocalIpcFd; without a host the port is this machine's.
///
/// Results: the connection's descriptor, which executed programs inherit; -1 after an error, with
/// errno: EINVAL for NULL and for a port above 65535, ENAMETOOLONG, EADDRNOTAVAIL for an unknown
/// host, and what connect(2) sets.
///
/// Side effects: none besides. Thread-safe.
///
/// Requires: `bindPath` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn OS_FcgiConnect(bindPath: *mut c_char) -> c_int {
    if bindPath.is_null() {
        return fail(&error(libc::EINVAL));
    }
    // SAFETY: the caller passes a C string.
    value(socket::connect(unsafe { bytes(bindPath) }))
}

/// Reads once from a descriptor, as read(2). A signal does not end the wait.
///
/// buf, len: room for len bytes; more than INT_MAX are never read at once.
///
/// Results: the number of bytes read, 0 at the end; -1 after an error, with errno as read(2) sets
/// it, EFAULT for NULL.
///
/// Side effects: none besides. Thread-safe, async-signal-safe.
///
/// Requires: `buf` has room for `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn OS_Read(fd: c_int, buf: *mut c_char, len: usize) -> c_int {
    // SAFETY: the caller gives room for `len` bytes.
    unsafe { read_into(fd, buf.cast(), len) }
}

/// Writes once to a descriptor, as write(2). A signal does not end the wait.
///
/// buf, len: the bytes; more than INT_MAX are never written at once.
///
/// Results: the number of bytes written; -1 after an error, with errno as write(2) sets it, EFAULT
/// for NULL.
///
/// Side effects: none besides. Thread-safe, async-signal-safe.
///
/// Requires: `buf` has `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn OS_Write(fd: c_int, buf: *mut c_char, len: usize) -> c_int {
    // SAFETY: the caller gives `len` bytes.
    unsafe { write_from(fd, buf.cast(), len) }
}

/// # Safety
///
/// `buffer` is NULL or has room for `len` bytes.
unsafe fn read_into(fd: RawFd, buffer: *mut u8, len: usize) -> c_int {
    if buffer.is_null() && len > 0 {
        return fail(&error(libc::EFAULT));
    }
    if len == 0 {
        return count(fd_io::read(fd, &mut []));
    }
    // SAFETY: not NULL, the caller's promise, and shorter than isize::MAX.
    let buffer = unsafe { std::slice::from_raw_parts_mut(buffer, len.min(c_int::MAX as usize)) };
    count(fd_io::read(fd, buffer))
}

/// # Safety
///
/// `buffer` is NULL or has `len` bytes.
unsafe fn write_from(fd: RawFd, buffer: *const u8, len: usize) -> c_int {
    if buffer.is_null() && len > 0 {
        return fail(&error(libc::EFAULT));
    }
    if len == 0 {
        return count(fd_io::write(fd, &[]));
    }
    // SAFETY: not NULL, the caller's promise, and shorter than isize::MAX.
    let bytes = unsafe { std::slice::from_raw_parts(buffer, len.min(c_int::MAX as usize)) };
    count(fd_io::write(fd, bytes))
}

/// Starts a FastCGI application: executes execPath (no search in PATH) without arguments, with
/// listenFd as descriptor 0; 1 and 2 are closed.
///
/// Results: 0, also when the program cannot be executed: then the child's exit status is errno.
/// -1 when no process could be made, with errno as fork(2) sets it, EINVAL for NULL.
///
/// Side effects: a child process, to be waited for by the caller. Thread-safe.
///
/// Requires: `execPath` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn OS_SpawnChild(execPath: *mut c_char, listenFd: c_int) -> c_int {
    if execPath.is_null() {
        return fail(&error(libc::EINVAL));
    }
    // SAFETY: not NULL; the caller passes a C string.
    status(spawn::spawn(unsafe { CStr::from_ptr(execPath) }, listenFd))
}

/// A read or write that a program has asked for.
struct Transfer {
    fd: RawFd,
    direction: Direction,
    buffer: *mut u8,
    len: usize,
    proc: unsafe extern "C" fn(ClientData, c_int),
    data: ClientData,
}

// SAFETY: the pointers are the program's; it says that they are valid wherever it calls OS_DoIo.
unsafe impl Send for Transfer {}

impl Transfer {
    fn run(self) {
        // SAFETY: the program keeps the buffer until its procedure is called.
        let len = unsafe {
            match self.direction {
                Direction::Read => read_into(self.fd, self.buffer, self.len),
                Direction::Write => write_from(self.fd, self.buffer, self.len),
            }
        };
        // SAFETY: the program gave the procedure and its data for this call.
        unsafe { (self.proc)(self.data, len) }
    }
}

fn start(
    fd: RawFd,
    direction: Direction,
    buffer: *mut c_void,
    len: c_int,
    proc: OS_AsyncProc,
    data: ClientData,
) -> c_int {
    let (Ok(len), Some(proc)) = (usize::try_from(len), proc) else {
        return fail(&error(libc::EINVAL));
    };
    let transfer = Transfer { fd, direction, buffer: buffer.cast(), len, proc, data };
    let action = boxed(move || transfer.run()).map_err(io::Error::from);
    status(action.and_then(|action| async_io::arm(fd, direction, action)))
}

/// Starts an asynchronous read of descriptor 0, as OS_AsyncRead does.
///
/// Results and side effects are those of OS_AsyncRead.
///
/// Requires: `buf` has room for `len` bytes as long as the operation waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn OS_AsyncReadStdin(
    buf: *mut c_void,
    len: c_int,
    procPtr: OS_AsyncProc,
    clientData: ClientData,
) -> c_int {
    start(libc::STDIN_FILENO, Direction::Read, buf, len, procPtr, clientData)
}

/// Starts an asynchronous read: as soon as the descriptor can be read, OS_DoIo reads up to len
/// bytes into buf and calls procPtr with clientData and the result.
///
/// offset: not used on Unix; files are read from their present position.
///
/// Results: 0; -1 after an error, with errno: EBUSY while another read of this descriptor waits,
/// EBADF for a negative descriptor, EINVAL for a negative length and a NULL procedure, ENOMEM.
///
/// Side effects: the operation waits for OS_DoIo; buf must live until procPtr is called or
/// OS_Close, OS_CloseRead or OS_LibShutdown cancels it. Thread-safe.
///
/// Requires: `buf` has room for `len` bytes as long as the operation waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn OS_AsyncRead(
    fd: c_int,
    offset: c_int,
    buf: *mut c_void,
    len: c_int,
    procPtr: OS_AsyncProc,
    clientData: ClientData,
) -> c_int {
    let _ = offset;
    start(fd, Direction::Read, buf, len, procPtr, clientData)
}

/// Starts an asynchronous write: as soon as the descriptor takes bytes, OS_DoIo writes up to len
/// bytes of buf and calls procPtr with clientData and the result. Parameters, results and side
/// effects are those of OS_AsyncRead; OS_CloseRead does not cancel it.
///
/// Requires: `buf` has `len` bytes as long as the operation waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn OS_AsyncWrite(
    fd: c_int,
    offset: c_int,
    buf: *mut c_void,
    len: c_int,
    procPtr: OS_AsyncProc,
    clientData: ClientData,
) -> c_int {
    let _ = offset;
    start(fd, Direction::Write, buf, len, procPtr, clientData)
}

/// Closes a descriptor and cancels its asynchronous operations; their procedures are not called.
///
/// shutdown: not 0 closes a connection gracefully: it tells the peer that nothing more comes and
/// throws away what the peer still sends, until the peer ends, 64 MB have come or
/// LIBFCGI_OS_CLOSE_POLL_TIMEOUT milliseconds (2000 by default) are over. Closing with unread
/// bytes could destroy what the peer has not read yet.
///
/// Results: 0, also for -1, which is nothing to close; -1 after an error, with errno as close(2)
/// sets it.
///
/// Side effects: as above. Thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn OS_Close(fd: c_int, shutdown: c_int) -> c_int {
    if fd == -1 {
        return 0;
    }
    async_io::cancel(fd, Direction::Read);
    async_io::cancel(fd, Direction::Write);
    status(if shutdown != 0 {
        connected::close_gracefully(fd, config::get().close_timeout)
    } else {
        socket::close(fd)
    })
}

/// Ends reading from a connection and cancels its asynchronous read; the procedure is not called.
/// Writing goes on, and the descriptor stays open.
///
/// Results: 0; -1 after an error, with errno as shutdown(2) sets it.
///
/// Side effects: as above. Thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn OS_CloseRead(fd: c_int) -> c_int {
    async_io::cancel(fd, Direction::Read);
    status(socket::shutdown_read(fd))
}

/// Waits until at least one asynchronous operation can be done, does all that can be, and calls
/// their procedures, in the order of the descriptors and reading before writing. Operations that
/// procedures start wait for the next call.
///
/// tmo: how long to wait at most; the time left is written back. NULL waits for ever.
///
/// Results: 0, also when the time was over; -1 after an error, with errno: EINVAL for a negative
/// time, EINTR after a signal if shutting down has been asked for, at the latest by it (no other
/// ends the wait), and what poll(2) sets. What goes wrong with one descriptor is told to its
/// procedure.
///
/// Side effects: those of the procedures, which are called with no lock held. Thread-safe.
///
/// Requires: `tmo` is NULL or a time; buffers and procedures are as their operations promised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn OS_DoIo(tmo: *mut libc::timeval) -> c_int {
    // SAFETY: the caller passes NULL or a timeval.
    let timeout = match unsafe { tmo.as_ref() } {
        None => None,
        Some(time) => match duration(time) {
            Some(time) => Some(time),
            None => return fail(&error(libc::EINVAL)),
        },
    };
    match async_io::wait(timeout) {
        Ok(left) => {
            // SAFETY: as above; procedures may have changed it, so it is looked up again.
            if let (Some(time), Some(left)) = (unsafe { tmo.as_mut() }, left) {
                time.tv_sec = left.as_secs() as _;
                time.tv_usec = left.subsec_micros() as _;
            }
            0
        }
        Err(error) => fail(&error),
    }
}

/// More than a million microseconds are seconds, as for select(2).
fn duration(time: &libc::timeval) -> Option<Duration> {
    let micros = u64::try_from(time.tv_usec).ok()?;
    let seconds = u64::try_from(time.tv_sec).ok()?;
    Some(Duration::from_micros(seconds.saturating_mul(1_000_000).saturating_add(micros)))
}

/// Waits for the next connection.
///
/// fail_on_intr: not 0 makes a signal end the wait whose handler has no SA_RESTART.
/// webServerAddrs: addresses of web servers that may connect by TCP, separated by commas, without
/// spaces, names or masks; connections of others are closed. NULL or "" admits all.
///
/// A connection through a unix socket on which nothing arrives within
/// LIBFCGI_IS_AF_UNIX_KEEPER_POLL_TIMEOUT milliseconds (2000 by default) is closed.
///
/// Results: the connection's descriptor, which executed programs do not inherit; -1 after an error,
/// with errno: EINTR after a signal with fail_on_intr and, always, when shutting down was asked for
/// (OS_ShutdownPending, SIGTERM, SIGUSR1); EAGAIN when the program has made the listen socket
/// non-blocking; what accept(2) sets otherwise.
///
/// Side effects: with several threads the listen socket becomes non-blocking, for all processes that
/// share it. Thread-safe: every thread that waits here comes back when shutting down is asked for.
///
/// Requires: `webServerAddrs` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn OS_Accept(
    listen_sock: c_int,
    fail_on_intr: c_int,
    webServerAddrs: *const c_char,
) -> c_int {
    // SAFETY: the caller passes NULL or a C string.
    let list = PeerList::parse(unsafe { bytes(webServerAddrs) });
    let _ = library::go_on();
    value(blocking::accept(listen_sock, fail_on_intr != 0, &list))
}

/// Closes a connection, as OS_Close does.
///
/// Results: 0; -1 after an error, with errno as for OS_Close.
///
/// Side effects: as OS_Close. Thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn OS_IpcClose(ipcFd: c_int, shutdown: c_int) -> c_int {
    OS_Close(ipcFd, shutdown)
}

/// Says whether a descriptor is a listen socket, that is a socket without a peer. If descriptor 0
/// is one, the program was started as a FastCGI application, else as a CGI program.
///
/// Results: 1 or 0.
///
/// Side effects: none. Thread-safe, async-signal-safe.
#[unsafe(no_mangle)]
pub extern "C" fn OS_IsFcgi(sock: c_int) -> c_int {
    c_int::from(socket::is_listening(sock))
}

/// Adds flags such as O_NONBLOCK to a descriptor's open file, as F_SETFL of fcntl(2) does.
///
/// Side effects: as above; after an error nothing, with errno as fcntl(2) sets it. Thread-safe,
/// async-signal-safe.
#[unsafe(no_mangle)]
pub extern "C" fn OS_SetFlags(fd: c_int, flags: c_int) {
    if let Err(error) = socket::add_flags(fd, flags) {
        fail(&error);
    }
}

/// Asks the library to shut down, as FCGX_ShutdownPending: the requests in progress, and those on
/// their way, are finished, then every wait for another one, present and future, in every thread,
/// ends with an error. OS_LibShutdown and FCGX_Init are the way back.
///
/// Side effects: as above. Thread-safe, async-signal-safe: made for signal handlers.
#[unsafe(no_mangle)]
pub extern "C" fn OS_ShutdownPending() {
    signal::request_shutdown();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_times_are_refused() {
        let time = |tv_sec, tv_usec| duration(&libc::timeval { tv_sec, tv_usec });
        assert_eq!(time(1, 999_999), Some(Duration::from_micros(1_999_999)));
        assert_eq!(time(0, 1_500_000), Some(Duration::from_micros(1_500_000)));
        assert_eq!(time(0, -1), None);
        assert_eq!(time(-1, 0), None);
    }

    #[test]
    fn every_error_has_a_number() {
        assert_eq!(errno_of(&error(libc::EEXIST)), libc::EEXIST);
        assert_eq!(errno_of(&io::ErrorKind::Interrupted.into()), libc::EINTR);
        assert_eq!(errno_of(&io::ErrorKind::Other.into()), libc::EIO);
    }
}
