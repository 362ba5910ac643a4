//! Sockets: listening, connecting, accepting and closing.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::ptr;
use std::time::{Duration, Instant};

use super::address::{self, Address, as_path};
use super::descriptor::{close, shutdown_write, try_shutdown_write};
use super::error::{explained, is_refused};
use super::fork::ForkEpoch;
use super::io::recv_now;
use super::poll;
use super::syscall::checked;

/// The most bytes that a lingering close reads and discards. Web servers send a whole upload before they
/// read the response; the effective limit is the time.
const MAX_DRAINED: usize = 64 << 20;

/// The peer of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A process of this machine, through a unix socket.
    Unix,
    /// An IPv4 address, even if it connected to an IPv6 socket.
    V4(Ipv4Addr),
    /// An IPv6 address.
    V6(Ipv6Addr),
    /// Another kind of address.
    Other,
}

/// Makes a listen socket at the lowest free descriptor. Executed programs inherit it.
///
/// [`Address::parse`] parses `name`; `backlog` is passed to the kernel unchanged. At a path, a socket, a
/// symbolic link (itself, never its target) and an empty file (programs use the name of a temporary file)
/// are replaced; any other file is EEXIST.
pub fn listen(name: &[u8], backlog: libc::c_int) -> io::Result<RawFd> {
    match Address::parse(name)? {
        Address::Path(path) => listening(bind_path(as_path(path))?, backlog),
        Address::Port(port) => listen_tcp(&[address::any_interface(port)], backlog),
        Address::Socket(address) => listen_tcp(&[address], backlog),
        Address::HostPort { host, port } => listen_tcp(&address::resolve(host, port)?, backlog),
    }
}

fn listen_tcp(addresses: &[SocketAddr], backlog: libc::c_int) -> io::Result<RawFd> {
    let socket = TcpListener::bind(addresses).map_err(|error| match error.kind() {
        io::ErrorKind::AddrNotAvailable => {
            explained(libc::EADDRNOTAVAIL, "the address is not this machine's")
        }
        _ => error,
    })?;
    // Accepted connections inherit it, which saves a system call for each. Without it they work, but more
    // slowly.
    let _ = set_nodelay(socket.as_raw_fd());
    listening(socket, backlog)
}

/// Sets the program's backlog, by listening again: std has chosen its own. Returns the descriptor.
fn listening(socket: impl IntoRawFd + AsRawFd, backlog: libc::c_int) -> io::Result<RawFd> {
    // SAFETY: listen takes no pointer; `socket` keeps the descriptor open.
    checked(unsafe { libc::listen(socket.as_raw_fd(), backlog) })?;
    clear_cloexec(socket)
}

/// Returns the descriptor of a socket, without FD_CLOEXEC.
fn clear_cloexec(socket: impl IntoRawFd + AsRawFd) -> io::Result<RawFd> {
    // SAFETY: F_SETFD takes an int; `socket` keeps the descriptor open.
    checked(unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_SETFD, 0) })?;
    Ok(socket.into_raw_fd())
}

fn bind_path(path: &Path) -> io::Result<UnixListener> {
    match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_stale(path)?;
            UnixListener::bind(path)
        }
        result => result,
    }
}

/// Removes a file that [`listen`] may replace.
fn remove_stale(path: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    let kind = found.file_type();
    if kind.is_socket() || kind.is_symlink() || (kind.is_file() && found.len() == 0) {
        fs::remove_file(path)
    } else {
        Err(explained(libc::EEXIST, "something that is no socket is there"))
    }
}

/// Connects to a listen socket. Names are as for [`listen`]; a port without a host is on this machine.
/// Executed programs inherit the connection.
pub fn connect(name: &[u8]) -> io::Result<RawFd> {
    match Address::parse(name)? {
        Address::Path(path) => clear_cloexec(UnixStream::connect(as_path(path))?),
        Address::Port(port) => connect_tcp(&[address::loopback(port)]),
        Address::Socket(address) => connect_tcp(&[address]),
        Address::HostPort { host, port } => connect_tcp(&address::resolve(host, port)?),
    }
}

fn connect_tcp(addresses: &[SocketAddr]) -> io::Result<RawFd> {
    let socket = TcpStream::connect(addresses)?;
    socket.set_nodelay(true)?;
    clear_cloexec(socket)
}

/// Disables Nagle's algorithm, which delays small packets (TCP_NODELAY).
pub(crate) fn set_nodelay(fd: RawFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    let size = size_of_val(&on) as libc::socklen_t;
    // SAFETY: the kernel reads one int from `on`, which outlives the call.
    checked(unsafe {
        libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, (&raw const on).cast(), size)
    })
    .map(drop)
}

/// A socket address that the kernel writes.
struct SockAddr {
    storage: libc::sockaddr_storage,
    len: libc::socklen_t,
}

impl SockAddr {
    const fn empty() -> Self {
        // SAFETY: sockaddr_storage is plain data, for which zero is a value.
        let storage = unsafe { std::mem::zeroed() };
        Self { storage, len: size_of::<libc::sockaddr_storage>() as libc::socklen_t }
    }

    fn peer(&self) -> Peer {
        let place = &raw const self.storage;
        match libc::c_int::from(self.storage.ss_family) {
            libc::AF_UNIX => Peer::Unix,
            libc::AF_INET => {
                // SAFETY: sockaddr_storage is large and aligned enough for every kind of address.
                let v4 = unsafe { ptr::read(place.cast::<libc::sockaddr_in>()) };
                Peer::V4(Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr)))
            }
            libc::AF_INET6 => {
                // SAFETY: sockaddr_storage is large and aligned enough for every kind of address.
                let v6 = unsafe { ptr::read(place.cast::<libc::sockaddr_in6>()) };
                let v6 = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                v6.to_ipv4_mapped().map_or(Peer::V6(v6), Peer::V4)
            }
            _ => Peer::Other,
        }
    }
}

/// A new connection.
#[derive(Clone, Copy, Debug)]
pub struct Accepted {
    /// Its descriptor, with FD_CLOEXEC.
    pub fd: RawFd,
    /// The peer.
    pub peer: Peer,
    /// The epoch before it was accepted: children forked later may have a copy.
    pub epoch: ForkEpoch,
}

/// Calls accept4(2) once, or accept(2) where accept4 is refused. A signal ends it with `Interrupted`.
pub fn accept(listen_fd: RawFd) -> io::Result<Accepted> {
    let epoch = ForkEpoch::now();
    let mut name = SockAddr::empty();
    let place = (&raw mut name.storage).cast();
    // SAFETY: the kernel writes at most `len` bytes, which is the size of `storage`, and then `len`.
    let fd = unsafe { libc::accept4(listen_fd, place, &raw mut name.len, libc::SOCK_CLOEXEC) };
    let fd = match checked(fd) {
        Err(error) => accept_without_flags(error, listen_fd, &mut name)?,
        Ok(fd) => fd,
    };
    Ok(Accepted { fd, peer: name.peer(), epoch })
}

/// Calls accept(2) if `error` means that accept4 is refused. Otherwise returns `error`.
#[cold]
fn accept_without_flags(
    error: io::Error,
    listen_fd: RawFd,
    name: &mut SockAddr,
) -> io::Result<RawFd> {
    if !is_refused(&error) {
        return Err(error);
    }
    let place = (&raw mut name.storage).cast();
    // SAFETY: the kernel writes at most `len` bytes, which is the size of `storage`, and then `len`.
    let fd = checked(unsafe { libc::accept(listen_fd, place, &raw mut name.len) })?;
    // SAFETY: F_SETFD takes an int. If it is refused, too, executed programs inherit the connection.
    unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    Ok(fd)
}

/// Returns the program's timeout for accept(2) and receiving (SO_RCVTIMEO), if it has set one.
pub(crate) fn time_limit(fd: RawFd) -> Option<Duration> {
    let mut limit = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let mut length = size_of_val(&limit) as libc::socklen_t;
    let place = (&raw mut limit).cast();
    // SAFETY: the kernel writes at most `length` bytes, which is the size of `limit`, and then `length`.
    let result = unsafe {
        libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_RCVTIMEO, place, &raw mut length)
    };
    checked(result).ok()?;
    let seconds = Duration::from_secs(u64::try_from(limit.tv_sec).ok()?);
    let limit = seconds + Duration::from_micros(u64::try_from(limit.tv_usec).ok()?);
    (limit != Duration::ZERO).then_some(limit)
}

/// Checks that the descriptor is a listen socket. To be called before changing it, because the program may
/// have closed it and reused its number. Fails as accept(2) would: `EBADF`, `ENOTSOCK`, `EINVAL`.
/// Async-signal-safe.
pub fn check_listens(fd: RawFd) -> io::Result<()> {
    let mut listens: libc::c_int = 0;
    let mut length = size_of_val(&listens) as libc::socklen_t;
    let place = (&raw mut listens).cast();
    // SAFETY: the kernel writes at most `length` bytes, which is the size of `listens`, and then `length`.
    let result = unsafe {
        libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_ACCEPTCONN, place, &raw mut length)
    };
    match checked(result) {
        Err(error) if is_refused(&error) => Ok(()),
        Err(error) => Err(error),
        Ok(_) if listens == 0 => Err(io::Error::from_raw_os_error(libc::EINVAL)),
        Ok(_) => Ok(()),
    }
}

/// Returns whether a listen socket was shut down. Neither accept4 on a non-blocking unix socket nor, after
/// a shutdown for reading, an epoll event shows that.
pub(crate) fn is_shut_down(listen_fd: RawFd) -> bool {
    let over = libc::POLLHUP | libc::POLLRDHUP;
    poll::one(listen_fd, libc::POLLRDHUP, Some(Duration::ZERO)).is_ok_and(|found| found & over != 0)
}

/// Closes a connection that needs no [`LingeringClose`]: the peer sends nothing more, or nothing important
/// was sent. Children forked after `epoch` may have a copy: with such a fork, shuts the connection down
/// for writing first.
pub(crate) fn close_without_lingering(fd: RawFd, epoch: ForkEpoch) {
    if epoch.is_before_a_fork() {
        shutdown_write(fd);
    }
    close(fd);
}

/// Returns whether the descriptor is a socket without a peer. A web server starts a FastCGI application
/// with such a socket as descriptor 0, and a CGI program with a pipe, a file or a connected socket.
pub(crate) fn is_listening(fd: RawFd) -> bool {
    let mut name = SockAddr::empty();
    let place = (&raw mut name.storage).cast();
    // SAFETY: the kernel writes at most `len` bytes, which is the size of `storage`, and then `len`.
    let result = checked(unsafe { libc::getpeername(fd, place, &raw mut name.len) });
    result.is_err_and(|error| error.raw_os_error() == Some(libc::ENOTCONN))
}

/// A close that first reads what the peer still sends, so that the peer does not lose the response.
#[derive(Debug)]
pub(crate) struct LingeringClose {
    fd: RawFd,
    end: Option<Instant>,
    left: usize,
}

impl LingeringClose {
    /// Shuts the connection down for writing. The lingering ends when the peer closes its side, after
    /// `patience`, or after 64 MB. `None` if the descriptor is not a connection.
    pub(crate) fn begin(fd: RawFd, patience: Duration) -> Option<Self> {
        let is_shut_down = try_shutdown_write(fd).is_ok();
        let end = Instant::now().checked_add(patience);
        is_shut_down.then_some(Self { fd, end, left: MAX_DRAINED })
    }

    /// Receives into `room`, waiting until the deadline. Returns the number of bytes; `None` at the end.
    pub(crate) fn next(&mut self, room: &mut [u8]) -> Option<usize> {
        while self.left > 0 {
            match recv_now(self.fd, room) {
                Ok(0) => break,
                Ok(n) => {
                    self.left = self.left.saturating_sub(n);
                    return Some(n);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let now = Instant::now();
                    let patience = self.end.map(|end| end.saturating_duration_since(now));
                    if !poll::one(self.fd, poll::READABLE, patience).is_ok_and(|found| found != 0) {
                        break;
                    }
                }
                Err(_) => break,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::descriptor::try_close;
    use crate::os::error::errno_of;
    use std::os::fd::FromRawFd;
    use std::path::PathBuf;

    /// The temporary directory of one test.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let name = format!("fcgi-{}-{name}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn name(&self, file: &str) -> Vec<u8> {
            self.0.join(file).into_os_string().into_encoded_bytes()
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn errno<T: std::fmt::Debug>(result: io::Result<T>) -> Option<i32> {
        Some(errno_of(&result.unwrap_err()))
    }

    fn descriptor_flags(fd: RawFd) -> libc::c_int {
        // SAFETY: F_GETFD takes no pointer and changes nothing.
        unsafe { libc::fcntl(fd, libc::F_GETFD) }
    }

    #[test]
    fn a_socket_file_is_replaced_and_nothing_else() {
        let dir = Directory::new("replace");
        let first = listen(&dir.name("sock"), 5).unwrap();
        let second = listen(&dir.name("sock"), 5).unwrap();
        assert!(is_listening(second));
        assert_eq!(descriptor_flags(second), 0);

        fs::write(dir.0.join("empty"), b"").unwrap();
        let empty = listen(&dir.name("empty"), 5).unwrap();
        fs::write(dir.0.join("file"), b"kept").unwrap();
        std::os::unix::fs::symlink(dir.0.join("file"), dir.0.join("link")).unwrap();
        assert_eq!(errno(listen(&dir.name("file"), 5)), Some(libc::EEXIST));
        assert_eq!(errno(listen(&dir.name(""), 5)), Some(libc::EEXIST));
        assert_eq!(errno(listen(&dir.name("no/where"), 5)), Some(libc::ENOENT));
        let third = listen(&dir.name("link"), 5).unwrap();
        assert_eq!(fs::read(dir.0.join("file")).unwrap(), b"kept");
        for fd in [first, second, third, empty] {
            try_close(fd).unwrap();
        }
    }

    #[test]
    fn unix_connections() {
        let dir = Directory::new("unix");
        let name = dir.name("sock");
        assert_eq!(errno(connect(&name)), Some(libc::ENOENT));
        let listener = listen(&name, 5).unwrap();
        let client = connect(&name).unwrap();
        let Accepted { fd: server, peer, .. } = accept(listener).unwrap();
        assert_eq!(peer, Peer::Unix);
        assert_eq!(descriptor_flags(server), libc::FD_CLOEXEC);
        assert!(!is_listening(server) && !is_listening(client));
        // A child that another test forks may still have the listener: closing would not end it.
        // SAFETY: shutdown takes no pointer.
        checked(unsafe { libc::shutdown(listener, libc::SHUT_RDWR) }).unwrap();
        assert_eq!(errno(connect(&name)), Some(libc::ECONNREFUSED));
        for fd in [server, client, listener] {
            try_close(fd).unwrap();
        }
    }

    /// Listens at any free port, connects to it, and checks the accepted peer.
    fn tcp_peer(listen_name: &str, connect_host: &str, expected: Peer) {
        let listener = listen(listen_name.as_bytes(), 5).unwrap();
        // SAFETY: the descriptor was made above and has no other owner.
        let port = unsafe { TcpListener::from_raw_fd(listener) };
        let name = format!("{connect_host}:{}", port.local_addr().unwrap().port());
        let client = connect(name.as_bytes()).unwrap();
        let Accepted { fd: server, peer, .. } = accept(listener).unwrap();
        assert_eq!(peer, expected);
        // SAFETY: the descriptor was accepted above and has no other owner.
        let server = unsafe { TcpStream::from_raw_fd(server) };
        assert!(server.nodelay().unwrap());
        try_close(client).unwrap();
    }

    #[test]
    fn tcp_connections_over_both_kinds_of_address() {
        tcp_peer("[::1]:0", "[::1]", Peer::V6(Ipv6Addr::LOCALHOST));
        tcp_peer("[::]:0", "127.0.0.1", Peer::V4(Ipv4Addr::LOCALHOST));
        tcp_peer("[::]:0", "*", Peer::V4(Ipv4Addr::LOCALHOST));
    }

    #[test]
    fn only_a_socket_without_a_peer_listens() {
        let (a, _b) = UnixStream::pair().unwrap();
        let file = fs::File::open("/dev/null").unwrap();
        assert!(!is_listening(a.as_raw_fd()));
        assert!(!is_listening(file.as_raw_fd()));
        assert!(!is_listening(-1));
    }
}
