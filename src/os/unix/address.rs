//! The addresses that sockets are bound and connected to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::Path;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::error::{explained, is_explained_by};

/// The longest path of a unix socket, in bytes: `sun_path` also holds a NUL.
pub(crate) const MAX_PATH: usize = 107;

/// The meaning of a name such as "/run/app.sock", ":9000" or "host:9000".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Address<'a> {
    /// The file of a unix socket.
    Path(&'a [u8]),
    /// A TCP port on every interface.
    Port(u16),
    /// A TCP port on one address.
    Socket(SocketAddr),
    /// A TCP port on one host.
    HostPort {
        /// The host's name or IPv4 address.
        host: &'a str,
        /// The port.
        port: u16,
    },
}

impl<'a> Address<'a> {
    /// Parses a name: "path", ":port", "*:port", "host:port" or `[v6]:port`. If the text after the first
    /// colon is not a number greater than 0, the whole name is a path.
    ///
    /// Errors: EINVAL for a port above 65535, ENAMETOOLONG for a path longer than [`MAX_PATH`].
    pub(crate) fn parse(name: &'a [u8]) -> io::Result<Self> {
        if let Some((host, port)) = split_v6(name) {
            return Ok(Self::Socket(SocketAddr::new(IpAddr::V6(host), port?)));
        }
        match split_host(name) {
            Some(("" | "*", port)) => Ok(Self::Port(port?)),
            Some((host, port)) => Ok(Self::HostPort { host, port: port? }),
            None if name.len() > MAX_PATH => {
                Err(explained(libc::ENAMETOOLONG, "the path of a socket ends at 107 bytes"))
            }
            None => Ok(Self::Path(name)),
        }
    }
}

/// Returns bytes as a path.
pub(super) fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// Parses a port: EINVAL above 65535, `None` for text that is not a number.
fn port(digits: &[u8]) -> Option<io::Result<u16>> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = std::str::from_utf8(digits).ok()?.parse();
    Some(value.map_err(|_| explained(libc::EINVAL, "a port ends at 65535")))
}

/// Splits `[v6]:port`. Port 0 (any free port) is allowed here: no existing program can have meant a path
/// by such a name.
fn split_v6(name: &[u8]) -> Option<(Ipv6Addr, io::Result<u16>)> {
    let inner = name.strip_prefix(b"[")?;
    let end = inner.iter().position(|&byte| byte == b']')?;
    let (host, rest) = inner.split_at_checked(end)?;
    let host = std::str::from_utf8(host).ok()?.parse().ok()?;
    Some((host, port(rest.strip_prefix(b"]:")?)?))
}

/// Splits "host:port". Port 0 is not allowed: "display:0" is a path.
fn split_host(name: &[u8]) -> Option<(&str, io::Result<u16>)> {
    let colon = name.iter().position(|&byte| byte == b':')?;
    let (host, rest) = name.split_at_checked(colon)?;
    let port = port(rest.strip_prefix(b":")?)?;
    if matches!(port, Ok(0)) {
        return None;
    }
    Some((std::str::from_utf8(host).ok()?, port))
}

const UNKNOWN_HOST: &str = "unknown host";

/// Returns whether the error means that the host has no address.
pub fn is_unknown_host(error: &io::Error) -> bool {
    is_explained_by(error, UNKNOWN_HOST)
}

/// Resolves a host. IPv4 addresses come first: old programs expect a peer's address to be IPv4. Fails
/// with EADDRNOTAVAIL if the host has no address.
pub(super) fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let unknown = || explained(libc::EADDRNOTAVAIL, UNKNOWN_HOST);
    let found = (host, port).to_socket_addrs().map_err(|_| unknown())?;
    let (mut ordered, v6): (Vec<_>, Vec<_>) = found.partition(SocketAddr::is_ipv4);
    ordered.extend(v6);
    if ordered.is_empty() { Err(unknown()) } else { Ok(ordered) }
}

/// Returns the address that stands for `port` on every IPv4 interface.
pub(super) fn any_interface(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)
}

/// Returns the IPv4 loopback address with `port`.
pub(super) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::error::errno_of;

    fn parsed(name: &str) -> Address<'_> {
        Address::parse(name.as_bytes()).unwrap()
    }

    fn host(host: &str, port: u16) -> Address<'_> {
        Address::HostPort { host, port }
    }

    fn v6(host: Ipv6Addr, port: u16) -> Address<'static> {
        Address::Socket(SocketAddr::new(host.into(), port))
    }

    fn errno(name: &[u8]) -> Option<i32> {
        Some(errno_of(&Address::parse(name).unwrap_err()))
    }

    #[test]
    fn ports_and_hosts() {
        assert_eq!(parsed(":9000"), Address::Port(9000));
        assert_eq!(parsed("*:65535"), Address::Port(65535));
        assert_eq!(parsed("127.0.0.1:9000"), host("127.0.0.1", 9000));
        assert_eq!(parsed("localhost:0080"), host("localhost", 80));
        assert_eq!(parsed("[::1]:9000"), v6(Ipv6Addr::LOCALHOST, 9000));
        assert_eq!(parsed("[::]:0"), v6(Ipv6Addr::UNSPECIFIED, 0));
    }

    #[test]
    fn everything_else_is_a_path() {
        for name in [
            "/run/app.sock",
            "a:",
            "a:b",
            ":",
            "*:",
            "9000",
            ":0",
            "x:0",
            ": 80",
            ":-5",
            ":+5",
            "a:12x",
            "::1:80",
            "x:1:2",
            "[::1]",
            "[::1]:",
            "[::1]80",
            "[host]:x",
            "",
        ] {
            assert_eq!(parsed(name), Address::Path(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn limits() {
        assert_eq!(errno(b":65536"), Some(libc::EINVAL));
        assert_eq!(errno(b"host:99999999999999999999"), Some(libc::EINVAL));
        assert_eq!(errno(b"[::1]:70000"), Some(libc::EINVAL));
        assert!(Address::parse(&[b'x'; MAX_PATH]).is_ok());
        assert_eq!(errno(&[b'x'; MAX_PATH + 1]), Some(libc::ENAMETOOLONG));
    }

    #[test]
    fn an_address_resolves_to_itself_and_nonsense_to_nothing() {
        assert_eq!(resolve("127.0.0.1", 7).unwrap(), [loopback(7)]);
        let error = resolve("not a host", 7).unwrap_err();
        assert_eq!(errno_of(&error), libc::EADDRNOTAVAIL);
        assert!(is_unknown_host(&error));
    }
}
