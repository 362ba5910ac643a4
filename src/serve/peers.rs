//! Which peers may connect: the address list of FCGI_WEB_SERVER_ADDRS.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::os::memory::push;
use crate::os::socket::Peer;

/// A valid entry of the list. Invalid ones are dropped: they match no peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

/// The peers that may connect: all, or those of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerList {
    entries: Option<Vec<Entry>>,
}

impl PeerList {
    /// Parses comma-separated addresses. An empty text means no list; any other restricts, even if all
    /// entries are invalid. An entry ends at white space; one that begins with white space is invalid. IPv4
    /// entries may have any form of inet_addr(3).
    pub fn parse(list: &[u8]) -> Self {
        if list.is_empty() {
            return Self::default();
        }
        let mut entries = Vec::new();
        for entry in list.split(|&byte| byte == b',').filter_map(entry) {
            // When out of memory, the entry is lost and its peer refused.
            let _ = push(&mut entries, entry);
        }
        Self { entries: Some(entries) }
    }

    /// Whether the peer may connect. Peers on unix sockets always may, because the variable is often set
    /// for all programs of a machine.
    pub fn admits(&self, peer: &Peer) -> bool {
        let Some(entries) = &self.entries else { return true };
        match *peer {
            Peer::Unix => true,
            Peer::V4(address) => entries.contains(&Entry::V4(address)),
            Peer::V6(address) => entries.contains(&Entry::V6(address)),
            Peer::Other => false,
        }
    }
}

/// Parses one entry; `None` if it is invalid.
fn entry(text: &[u8]) -> Option<Entry> {
    let word = text.split(|&byte| is_space(byte)).next()?;
    let word = std::str::from_utf8(word).ok()?;
    if !word.contains(':') {
        return v4(word).map(Entry::V4);
    }
    let address: Ipv6Addr = word.parse().ok()?;
    Some(address.to_ipv4_mapped().map_or(Entry::V6(address), Entry::V4))
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Parses one to four numbers; the last one fills all remaining bytes.
fn v4(word: &str) -> Option<Ipv4Addr> {
    let mut parts = word.split('.').rev();
    let last = number(parts.next()?)?;
    let mut value = 0;
    let mut before = 0;
    for part in parts {
        let byte = u32::from(u8::try_from(number(part)?).ok()?);
        before += 1;
        if before > 3 {
            return None;
        }
        // The parts come from the right: each one moves those to its right down by a byte.
        value = (value >> 8) | (byte << 24);
    }
    let room = u32::MAX.checked_shr(8 * before)?;
    (last <= room).then(|| Ipv4Addr::from(value | last))
}

/// Parses a number in decimal, octal (0…) or hexadecimal (0x…) digits.
fn number(digits: &str) -> Option<u32> {
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let (digits, radix) = match hexadecimal {
        Some(digits) => (digits, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (digits, 8),
        None => (digits, 10),
    };
    if digits.starts_with('+') {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: Peer = Peer::V4(Ipv4Addr::LOCALHOST);

    fn admits(list: &str, peer: Peer) -> bool {
        PeerList::parse(list.as_bytes()).admits(&peer)
    }

    #[test]
    fn no_list_admits_all_peers() {
        for peer in [LOCAL, Peer::V6(Ipv6Addr::LOCALHOST), Peer::Unix, Peer::Other] {
            assert!(admits("", peer));
        }
    }

    #[test]
    fn lists_that_admit_127_0_0_1() {
        for list in [
            "127.0.0.1",
            "127.0.0.1 ",
            "127.0.0.1\t,1.1.1.1",
            "127.0.0.2,127.0.0.1",
            "foo,127.0.0.1",
            ",127.0.0.1,",
            "127.0.0.1 127.0.0.2",
            "127.1",
            "127.0.1",
            "0x7f.1",
            "0177.0.0.01",
            "2130706433",
            "127.0.0.001",
            "::ffff:127.0.0.1",
        ] {
            assert!(admits(list, LOCAL), "{list}");
        }
    }

    #[test]
    fn lists_that_do_not() {
        for list in [
            "127.0.0.2",
            " 127.0.0.1",
            "127.0.0.2, 127.0.0.1",
            "127.0.0.2 127.0.0.1",
            "127.0.0.2;127.0.0.1",
            "127.0.0.1x",
            "127.0.0.0.1",
            "127.0.0.257",
            "127.256.1",
            "+2130706433",
            "127..1",
            "localhost",
            "foo",
            ",",
            " ",
            "::1",
        ] {
            assert!(!admits(list, LOCAL), "{list}");
        }
    }

    #[test]
    fn other_kinds_of_peers() {
        let local = Peer::V6(Ipv6Addr::LOCALHOST);
        assert!(admits("127.0.0.1,::1", local));
        assert!(!admits("127.0.0.1", local));
        assert!(admits("foo", Peer::Unix));
        assert!(!admits("127.0.0.1", Peer::Other));
    }
}
