//! The listen socket that requests come from.

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use super::kept;
use super::request::Request;
use crate::os::{clock, descriptor, shutdown, socket};
use crate::serve::accept_options::Limit;
use crate::serve::closing::close_listen_socket;
use crate::serve::head::AcceptedRequest;
use crate::serve::last::Last;
use crate::serve::wait::Owner;
use crate::serve::{AcceptOptions, config, process, registry};

/// Whether the descriptor is closed with the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    WithValue,
    Never,
}

/// A listen socket that a web server connects to.
///
/// Making one initialises the library for the process, as `FCGX_Init` does: it reads the settings from the
/// environment (libfcgi(7)), and installs handlers for SIGTERM and SIGUSR1, which request shutdown, and for
/// SIGPIPE, which does nothing. Each is installed only where the program has left the default or ignores the
/// signal.
///
/// # Threads and processes
///
/// Any number of threads may call [`accept`](Self::accept) on one socket at the same time, and forked
/// processes may share it. Connections that web servers keep open wait inside the library: each of their
/// requests goes to any thread that accepts.
///
/// # Shutting down
///
/// SIGTERM, SIGUSR1 or [`request_shutdown`] end the process well: `accept` still returns the requests that
/// have arrived, and then `None` in every thread. Requests in progress go on. A program that returns from its
/// loops then has lost nothing. Shutdown concerns the whole process and is not taken back.
///
/// # Dropping
///
/// A socket from [`bind`](Self::bind) or [`new`](Self::new) is closed, with the connections that wait for
/// another request; one from [`inherited`](Self::inherited) stays open. The file of a unix socket stays.
#[derive(Debug)]
pub struct ListenSocket {
    fd: RawFd,
    closing: Closing,
}

impl ListenSocket {
    /// Returns the socket that the program was started with, at descriptor 0.
    ///
    /// # Errors
    ///
    /// Descriptor 0 is not a listen socket: a CGI program, or one that was started by hand.
    pub fn inherited() -> io::Result<Self> {
        Self::of(0, Closing::Never)
    }

    /// Makes a socket for the path of a unix socket, `:port` for every IPv4 interface, `host:port`, or
    /// `[v6]:port`. `backlog` is how many connections may wait to be accepted.
    ///
    /// A socket, an empty file or a symbolic link at the path is replaced. A name without a number greater
    /// than 0 after its first colon is a path. Executed programs do not inherit the descriptor.
    ///
    /// # Errors
    ///
    /// * `InvalidInput`: the port is above 65535, or the path is too long (107 bytes).
    /// * `AlreadyExists`: another file is at the path.
    /// * `AddrNotAvailable`: the host is unknown, or the address is not this machine's.
    /// * Otherwise as socket(2), bind(2) and listen(2).
    pub fn bind(address: impl AsRef<OsStr>, backlog: i32) -> io::Result<Self> {
        let fd = socket::listen(address.as_ref().as_bytes(), backlog)?;
        descriptor::close_on_exec(fd);
        registry::opened(fd);
        Self::of(fd, Closing::WithValue)
    }

    /// Takes over a listen socket, such as one from [`std::os::unix::net::UnixListener`] or
    /// [`std::net::TcpListener`]. [`accept`](Self::accept) waits also if it is non-blocking.
    ///
    /// # Errors
    ///
    /// The descriptor is not a listen socket. It is closed then.
    pub fn new(socket: impl Into<OwnedFd>) -> io::Result<Self> {
        let socket: OwnedFd = socket.into();
        socket::check_listens(socket.as_raw_fd())?;
        let fd = socket.into_raw_fd();
        registry::opened(fd);
        Self::of(fd, Closing::WithValue)
    }

    fn of(fd: RawFd, closing: Closing) -> io::Result<Self> {
        let socket = Self { fd, closing };
        socket::check_listens(fd)?;
        process::initialise();
        Ok(socket)
    }

    /// Waits for the next request. Returns `None` when shutdown was requested: the program then leaves its loop.
    ///
    /// # Errors
    ///
    /// Those of accept(2) that last, such as `EBADF` after another part of the program has closed the socket.
    /// Out of descriptors, it waits until one is free.
    pub fn accept(&self) -> io::Result<Option<Request>> {
        self.accept_until(None)
    }

    /// Waits as [`accept`](Self::accept) does, but not longer than `timeout`; zero only looks.
    ///
    /// # Errors
    ///
    /// `TimedOut` if no request has come by then. Otherwise as `accept`.
    pub fn accept_timeout(&self, timeout: Duration) -> io::Result<Option<Request>> {
        // A time that does not fit into an Instant never comes.
        self.accept_until(clock::now().checked_add(timeout))
    }

    fn accept_until(&self, until: Option<Instant>) -> io::Result<Option<Request>> {
        let accepted = self.next(until)?;
        Ok(accepted.map(|(accepted, owner)| Request::begin(accepted, self.fd, owner)))
    }

    /// Waits for the head of a request. In a frame of its own: a request is large.
    #[inline(never)]
    fn next(&self, until: Option<Instant>) -> io::Result<Option<(AcceptedRequest, Owner)>> {
        process::go_on();
        let limit = Limit::Caller;
        let options = AcceptOptions { until, limit, ..AcceptOptions::plain(config::get()) };
        let listener = registry::of(self.fd)?;
        let last = kept::take(&listener, self.fd);
        let owner = match last {
            Last::Parked(..) => Owner::Returns,
            Last::None | Last::Given(_) => Owner::MayBeGone,
        };
        match registry::next(listener, &options, last) {
            Ok((accepted, _)) => Ok(Some((accepted, owner))),
            Err(error) if error.kind() == ErrorKind::Interrupted && shutdown::is_requested() => {
                Ok(None)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock && until.is_some() => {
                Err(ErrorKind::TimedOut.into())
            }
            Err(error) => Err(error),
        }
    }
}

impl AsRawFd for ListenSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd
    }
}

impl Drop for ListenSocket {
    fn drop(&mut self) {
        if self.closing == Closing::WithValue {
            close_listen_socket(self.fd);
        }
    }
}

/// Requests shutdown, as SIGTERM does: see [`ListenSocket`]. Async-signal-safe: a program may call it in a
/// handler of its own, for SIGINT.
pub fn request_shutdown() {
    shutdown::request();
}
