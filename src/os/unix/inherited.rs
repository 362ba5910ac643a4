//! Sockets that the process was started with.
//!
//! They are recorded when the library is loaded: before `main`, or at the program's dlopen. Other
//! programs may share them. A socket is recognised by its device and inode (fstat(2)), at any number.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::error::{errno, set_errno};
use super::poll::{self, PollFd};

/// The most sockets that are recorded. If there are more, every socket counts as inherited.
const MAX_SOCKETS: usize = 64;

/// Numbers checked by one system call. The search ends at a batch without open descriptors.
const BATCH: RawFd = 64;

/// The first number that is not checked.
const DESCRIPTORS_END: RawFd = 1024;

struct InheritedSocket {
    device: AtomicUsize,
    inode: AtomicUsize,
}

static INHERITED: [InheritedSocket; MAX_SOCKETS] =
    [const { InheritedSocket { device: AtomicUsize::new(0), inode: AtomicUsize::new(0) } };
        MAX_SOCKETS];

/// How many inherited sockets there are, including those that are not recorded.
static INHERITED_COUNT: AtomicUsize = AtomicUsize::new(0);

/// The loader calls the functions in this section. Not under Miri, which has no fstat for sockets.
#[cfg(not(miri))]
#[used]
#[unsafe(link_section = ".init_array")]
static AT_LOAD: extern "C" fn() = record_open_sockets;

/// Records all open sockets.
#[cfg_attr(miri, expect(dead_code, reason = "see AT_LOAD"))]
extern "C" fn record_open_sockets() {
    let errno = errno();
    for first in (0..DESCRIPTORS_END).step_by(BATCH as usize) {
        let mut row = [PollFd::new(-1, 0); BATCH as usize];
        (first..).zip(&mut row).for_each(|(fd, entry)| entry.fd = fd);
        // Fails if the limit of open descriptors is below the batch: then each number is checked by fstat.
        let _ = poll::poll(&mut row, Some(Duration::ZERO));
        let mut open = row.iter().filter(|entry| entry.revents & libc::POLLNVAL == 0).peekable();
        if open.peek().is_none() {
            break;
        }
        open.filter_map(|entry| identity(entry.fd)).for_each(record);
    }
    set_errno(errno);
}

fn record((device, inode): (usize, usize)) {
    let count = INHERITED_COUNT.load(Ordering::Relaxed);
    if let Some(slot) = INHERITED.get(count) {
        slot.device.store(device, Ordering::Relaxed);
        slot.inode.store(inode, Ordering::Relaxed);
    }
    INHERITED_COUNT.store(count + 1, Ordering::Release);
}

/// Returns what identifies a socket at any number. `None` if the descriptor is not an open socket.
fn identity(fd: RawFd) -> Option<(usize, usize)> {
    // SAFETY: stat is plain data, for which zero is a value.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes one stat to a place that outlives the call.
    let result = unsafe { libc::fstat(fd, &raw mut stat) };
    let is_socket = result == 0 && stat.st_mode & libc::S_IFMT == libc::S_IFSOCK;
    // No loss on 32-bit systems: Linux numbers sockets with 32 bits.
    is_socket.then_some((stat.st_dev as usize, stat.st_ino as usize))
}

/// Returns whether the process was started with this socket. Async-signal-safe.
pub(crate) fn is_inherited(fd: RawFd) -> bool {
    let Some(identity) = identity(fd) else { return false };
    let count = INHERITED_COUNT.load(Ordering::Acquire);
    let is_it = |socket: &InheritedSocket| {
        (socket.device.load(Ordering::Relaxed), socket.inode.load(Ordering::Relaxed)) == identity
    };
    count > MAX_SOCKETS || INHERITED.iter().take(count).any(is_it)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    #[cfg_attr(miri, ignore = "no fstat for sockets in Miri")]
    fn a_socket_made_later_is_not_inherited() {
        let (a, b) = UnixStream::pair().unwrap();
        assert!(!is_inherited(a.as_raw_fd()));
        assert_ne!(identity(a.as_raw_fd()), identity(b.as_raw_fd()));
        let copy = a.try_clone().unwrap();
        assert_eq!(identity(a.as_raw_fd()), identity(copy.as_raw_fd()));
        assert!(identity(-1).is_none());
    }
}
