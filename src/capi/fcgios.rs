//! fcgios.h: descriptors, sockets and processes under the OS_ names.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::fmt::Write;
use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use super::library;
use super::listen::listen;
use crate::os::async_io::{self, Direction};
use crate::os::error::{errno_of, message, set_errno};
use crate::os::memory::boxed;
use crate::os::{descriptor, io as fd_io, shutdown, socket, spawn};
use crate::serve::peers::PeerList;
use crate::serve::{blocking, blocking::OnSignal, config, connection};

/// The argument that a program passes to an asynchronous operation and receives in its procedure.
pub type ClientData = *mut c_void;

/// Called by OS_DoIo when an asynchronous operation is done: `len` is the number of bytes, 0 at
/// the end of the file, -1 with errno after an error. It may start, cancel and close anything.
pub type OS_AsyncProc = Option<unsafe extern "C" fn(clientData: ClientData, len: c_int)>;

/// Sets errno from `error` and returns -1.
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

/// Returns the number of bytes, which never exceeds INT_MAX here, or -1 with errno.
fn count(result: io::Result<usize>) -> c_int {
    value(result.map(|n| c_int::try_from(n).unwrap_or(c_int::MAX)))
}

/// Returns the bytes of a C string; none for NULL.
///
/// # Safety
///
/// `text` is NULL or satisfies the requirements of `CStr::from_ptr`.
unsafe fn bytes<'a>(text: *const c_char) -> &'a [u8] {
    if text.is_null() {
        return &[];
    }
    // SAFETY: not NULL, so the caller passes a C string.
    unsafe { CStr::from_ptr(text) }.to_bytes()
}

/// Initialises the library: reads the settings and installs signal handlers. Every function of this
/// header works without it, with the defaults of the settings.
///
/// Parameters:
/// - stdioFds: not used on Unix; may be NULL.
///
/// Returns: 0.
///
/// Side effects: as FCGX_Init, but a second call installs the handlers again.
#[unsafe(no_mangle)]
pub extern "C" fn OS_LibInit(stdioFds: *mut c_int) -> c_int {
    let _ = stdioFds;
    library::install();
    0
}

/// Releases what the library holds: cancels asynchronous operations that still wait, closes idle
/// connections, frees spare memory. The library can be unloaded afterwards.
///
/// The next FCGX_Init, FCGX_IsCGI, FCGX_Accept, FCGI_Accept or OS_LibInit begins anew. It forgets
/// an earlier request to shut down and installs the handlers. It reads the settings, unless environ
/// is or was a request's. A program may also go on without that: a request to shut down stays, and
/// the next FCGX_Accept_r or OS_Accept installs the handlers again. A second call is harmless.
///
/// Side effects: SIGTERM and SIGUSR1 do again what they did before the library was initialised,
/// unless a thread waits for a request, or a request is in progress or finished with its connection
/// kept. A handler that the program has set since stays, and so does the library's for SIGPIPE.
#[unsafe(no_mangle)]
pub extern "C" fn OS_LibShutdown() {
    async_io::cancel_all();
    library::shut_down();
}

/// Makes a listen socket, as FCGX_OpenSocket does.
///
/// Parameters:
/// - bindPath: the path of FCGX_OpenSocket.
///
/// Returns: as FCGX_OpenSocket.
///
/// Errors: as FCGX_OpenSocket.
///
/// Side effects: as FCGX_OpenSocket.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn OS_CreateLocalIpcFd(bindPath: *const c_char, backlog: c_int) -> c_int {
    if bindPath.is_null() {
        return fail(&error(libc::EINVAL));
    }
    // SAFETY: not NULL, so the caller passes a C string.
    let (name, result) = unsafe { (bytes(bindPath), listen(bindPath, backlog)) };
    if let Err(reason) = &result {
        let (name, reason) = (String::from_utf8_lossy(name), message(reason));
        let _ = writeln!(fd_io::Stderr, "libfcgi: cannot listen on {name}: {reason}");
    }
    value(result)
}

/// Connects to the listen socket of a FastCGI application.
///
/// Parameters:
/// - bindPath: a name as for OS_CreateLocalIpcFd. A port without a host is this machine's.
///
/// Returns: the connection's descriptor, which executed programs inherit; -1 on failure.
///
/// Errors: EINVAL if bindPath is NULL or the port is above 65535. ENAMETOOLONG if bindPath is too
/// long. EADDRNOTAVAIL if the host is unknown. Otherwise as connect(2) sets errno.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn OS_FcgiConnect(bindPath: *mut c_char) -> c_int {
    if bindPath.is_null() {
        return fail(&error(libc::EINVAL));
    }
    // SAFETY: not NULL, so the caller passes a C string.
    value(socket::connect(unsafe { bytes(bindPath) }))
}

/// Reads once from a descriptor, as read(2). A signal does not end the wait.
///
/// Parameters:
/// - len: the room of buf. At most INT_MAX bytes are read at once.
///
/// Returns: the number of bytes read, 0 at the end; -1 on failure.
///
/// Errors: EFAULT if buf is NULL. Otherwise as read(2).
///
/// Threads and signals: async-signal-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn OS_Read(fd: c_int, buf: *mut c_char, len: usize) -> c_int {
    // SAFETY: the caller passes room for `len` bytes.
    unsafe { read_into(fd, buf.cast(), len) }
}

/// Writes once to a descriptor, as write(2). A signal does not end the wait.
///
/// Parameters:
/// - len: the bytes of buf. At most INT_MAX bytes are written at once.
///
/// Returns: the number of bytes written; -1 on failure.
///
/// Errors: EFAULT if buf is NULL. Otherwise as write(2).
///
/// Threads and signals: async-signal-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn OS_Write(fd: c_int, buf: *mut c_char, len: usize) -> c_int {
    // SAFETY: the caller passes `len` bytes.
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
    // SAFETY: not NULL, so the caller's memory has room for `len` bytes; shorter than isize::MAX.
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
    // SAFETY: not NULL, so the caller's memory has `len` bytes; shorter than isize::MAX.
    let bytes = unsafe { std::slice::from_raw_parts(buffer, len.min(c_int::MAX as usize)) };
    count(fd_io::write(fd, bytes))
}

/// Starts a FastCGI application: executes execPath without arguments, with listenFd as descriptor
/// 0. Descriptors 1 and 2 are closed. PATH is not searched.
///
/// Returns: 0, also if the program cannot be executed: then the child's exit status is errno; -1 if
/// no process could be made.
///
/// Errors: EINVAL if execPath is NULL. Otherwise as fork(2).
///
/// Side effects: makes a child process, which the caller waits for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn OS_SpawnChild(execPath: *mut c_char, listenFd: c_int) -> c_int {
    if execPath.is_null() {
        return fail(&error(libc::EINVAL));
    }
    // SAFETY: not NULL, so the caller passes a C string.
    status(spawn::spawn(unsafe { CStr::from_ptr(execPath) }, listenFd))
}

/// An asynchronous read or write of a program.
struct Transfer {
    fd: RawFd,
    direction: Direction,
    buffer: *mut u8,
    len: usize,
    proc: unsafe extern "C" fn(ClientData, c_int),
    data: ClientData,
}

// SAFETY: the program keeps its pointers valid for the thread that calls OS_DoIo.
unsafe impl Send for Transfer {}

impl Transfer {
    fn run(self) {
        // SAFETY: the program keeps the buffer until the procedure is called.
        let len = unsafe {
            match self.direction {
                Direction::Read => read_into(self.fd, self.buffer, self.len),
                Direction::Write => write_from(self.fd, self.buffer, self.len),
            }
        };
        // SAFETY: the program has passed the procedure and its data for this call.
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
    status(action.and_then(|action| async_io::register(fd, direction, action)))
}

/// Starts an asynchronous read of descriptor 0, as OS_AsyncRead does.
///
/// Returns: as OS_AsyncRead.
///
/// Errors: as OS_AsyncRead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn OS_AsyncReadStdin(
    buf: *mut c_void,
    len: c_int,
    procPtr: OS_AsyncProc,
    clientData: ClientData,
) -> c_int {
    start(libc::STDIN_FILENO, Direction::Read, buf, len, procPtr, clientData)
}

/// Starts an asynchronous read: as soon as the descriptor is readable, OS_DoIo reads up to len
/// bytes into buf and calls procPtr with clientData and the result.
///
/// Parameters:
/// - offset: not used on Unix; files are read at their present position.
/// - buf: must live until procPtr is called, or until OS_Close, OS_CloseRead or OS_LibShutdown
///   cancels the operation.
///
/// Returns: 0; -1 on failure.
///
/// Errors: EBUSY if another read of this descriptor waits. EBADF if the descriptor is negative.
/// EINVAL if the length is negative or the procedure is NULL. ENOMEM if memory is short.
///
/// Side effects: the operation waits for OS_DoIo.
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

/// Starts an asynchronous write: as soon as the descriptor is writable, OS_DoIo writes up to len
/// bytes of buf and calls procPtr with clientData and the result. OS_CloseRead does not cancel it.
///
/// Parameters:
/// - offset, buf: as for OS_AsyncRead.
///
/// Returns: as OS_AsyncRead.
///
/// Errors: as OS_AsyncRead, for another write.
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

/// Closes a descriptor and cancels its asynchronous operations, without calling their procedures.
///
/// Parameters:
/// - fd: -1 closes nothing.
/// - shutdown: not 0 closes a connection gracefully: ends sending, and discards what the peer still
///   sends. This lasts until the peer ends, 64 MB have come, or LIBFCGI_OS_CLOSE_POLL_TIMEOUT
///   milliseconds (2000 by default) are over. Closing with unread bytes could destroy what the peer
///   has not read yet.
///
/// Returns: 0, also for -1; -1 on failure.
///
/// Errors: as close(2).
#[unsafe(no_mangle)]
pub extern "C" fn OS_Close(fd: c_int, shutdown: c_int) -> c_int {
    if fd == -1 {
        return 0;
    }
    async_io::cancel(fd, Direction::Read);
    async_io::cancel(fd, Direction::Write);
    status(if shutdown != 0 {
        connection::close_gracefully(fd, config::get().close_timeout)
    } else {
        descriptor::try_close(fd)
    })
}

/// Ends reading from a connection and cancels its asynchronous read, without calling the procedure.
/// Writing goes on, and the descriptor stays open.
///
/// Returns: 0; -1 on failure.
///
/// Errors: as shutdown(2).
#[unsafe(no_mangle)]
pub extern "C" fn OS_CloseRead(fd: c_int) -> c_int {
    async_io::cancel(fd, Direction::Read);
    status(descriptor::shutdown_read(fd))
}

/// Waits until at least one asynchronous operation can be done, does all that can be, and calls
/// their procedures: in the order of the descriptors, and reading before writing. Operations that
/// procedures start wait for the next call.
///
/// Parameters:
/// - tmo: how long to wait at most; the time left is written back. NULL waits without limit.
///
/// Returns: 0, also when the time is over; -1 on failure. A procedure gets the errors of its own
/// descriptor.
///
/// Errors: EINVAL if the time is negative. EINTR if a signal interrupts the wait and shutdown was
/// requested, by that signal or before; other signals do not end the wait. Otherwise as poll(2).
///
/// Side effects: those of the procedures, which are called with no lock held.
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
            // SAFETY: the caller passes NULL or a timeval; no reference was kept, as procedures may write it.
            if let (Some(time), Some(left)) = (unsafe { tmo.as_mut() }, left) {
                time.tv_sec = left.as_secs() as _;
                time.tv_usec = left.subsec_micros() as _;
            }
            0
        }
        Err(error) => fail(&error),
    }
}

/// Returns `None` for negative times. Accepts a million microseconds and more, as select(2) does.
fn duration(time: &libc::timeval) -> Option<Duration> {
    let micros = u64::try_from(time.tv_usec).ok()?;
    let seconds = u64::try_from(time.tv_sec).ok()?;
    Some(Duration::from_micros(seconds.saturating_mul(1_000_000).saturating_add(micros)))
}

/// Waits for the next connection. Closes a connection through a unix socket on which nothing
/// arrives within LIBFCGI_IS_AF_UNIX_KEEPER_POLL_TIMEOUT milliseconds (2000 by default).
///
/// Parameters:
/// - fail_on_intr: not 0 makes a signal end the wait if its handler has no SA_RESTART.
/// - webServerAddrs: addresses of web servers that may connect by TCP, separated by commas, without
///   spaces, names or masks. Other connections are closed. NULL or "" admits all.
///
/// Returns: the connection's descriptor, which executed programs do not inherit; -1 on failure.
///
/// Errors: EINTR after a signal with fail_on_intr, and always if shutdown was requested
/// (OS_ShutdownPending, SIGTERM, SIGUSR1). EAGAIN if the program has made the listen socket
/// non-blocking and no connection is ready. Otherwise as accept(2).
///
/// Side effects: with several threads, makes the listen socket non-blocking for all processes that
/// share it.
///
/// Specification: 3.2.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn OS_Accept(
    listen_sock: c_int,
    fail_on_intr: c_int,
    webServerAddrs: *const c_char,
) -> c_int {
    // SAFETY: the caller passes NULL or a C string.
    let list = PeerList::parse(unsafe { bytes(webServerAddrs) });
    let _ = library::go_on();
    let on_signal = if fail_on_intr != 0 { OnSignal::Fail } else { OnSignal::WaitOn };
    value(blocking::accept(listen_sock, on_signal, &list))
}

/// Closes a connection, as OS_Close does.
///
/// Returns: as OS_Close.
///
/// Errors: as OS_Close.
#[unsafe(no_mangle)]
pub extern "C" fn OS_IpcClose(ipcFd: c_int, shutdown: c_int) -> c_int {
    OS_Close(ipcFd, shutdown)
}

/// Tells whether a descriptor is a listen socket, that is, a socket without a peer. If descriptor 0
/// is one, the program was started as a FastCGI application, else as a CGI program.
///
/// Returns: 1 or 0.
///
/// Threads and signals: async-signal-safe.
///
/// Specification: 2.2.
#[unsafe(no_mangle)]
pub extern "C" fn OS_IsFcgi(sock: c_int) -> c_int {
    c_int::from(socket::is_listening(sock))
}

/// Adds flags such as O_NONBLOCK to the open file of a descriptor, as F_SETFL of fcntl(2) does.
///
/// Errors: as fcntl(2).
///
/// Threads and signals: async-signal-safe.
#[unsafe(no_mangle)]
pub extern "C" fn OS_SetFlags(fd: c_int, flags: c_int) {
    if let Err(error) = descriptor::add_flags(fd, flags) {
        fail(&error);
    }
}

/// Requests shutdown, as FCGX_ShutdownPending does: requests in progress, and those that are
/// arriving, are finished. Then every wait for another one fails, in this call and in later ones,
/// in every thread. OS_LibShutdown and FCGX_Init are the way back.
///
/// Threads and signals: async-signal-safe.
#[unsafe(no_mangle)]
pub extern "C" fn OS_ShutdownPending() {
    shutdown::request();
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
