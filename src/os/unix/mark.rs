//! Who made a listen socket non-blocking: we or the program?
//!
//! The flag O_NONBLOCK belongs to the open file, which preforked processes share. A listen socket
//! made by FCGX_OpenSocket carries a mark in memory that forked processes share as well: set before
//! any of them sets the flag for the library's own purposes. A flag without the mark is the
//! program's wish. Everything here is async-signal-safe, except [`register`].

use std::io;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, Ordering};

use super::io::{is_nonblocking, set_nonblocking};
use super::socket::check_listens;

/// Listen sockets of one program that can carry a mark at the same time.
const SOCKETS: usize = 64;

/// Marks in the shared page; the first word counts those given out.
const MARKS: usize = 1024;

struct Entry {
    fd: AtomicI32,
    mark: AtomicU32,
}

static ENTRIES: [Entry; SOCKETS] =
    [const { Entry { fd: AtomicI32::new(-1), mark: AtomicU32::new(0) } }; SOCKETS];

type Page = [AtomicU32; MARKS];

/// The shared page; NULL before there is one. No OnceLock: a child must not wait for a thread that it
/// does not have.
static PAGE: AtomicPtr<Page> = AtomicPtr::new(ptr::null_mut());

fn page() -> Option<&'static Page> {
    // SAFETY: NULL, or a page of `map_page` that is never unmapped.
    unsafe { PAGE.load(Ordering::Acquire).as_ref() }
}

/// Makes the shared page. Of threads that do so at the same time one wins.
#[cold]
fn map_page() -> Option<&'static Page> {
    // SAFETY: an anonymous mapping at an address of the kernel's choice touches nothing of ours.
    let place = unsafe {
        libc::mmap(
            ptr::null_mut(),
            size_of::<Page>(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if place == libc::MAP_FAILED {
        return None;
    }
    let made = place.cast::<Page>();
    if PAGE.compare_exchange(ptr::null_mut(), made, Ordering::AcqRel, Ordering::Acquire).is_err() {
        // SAFETY: mapped above with this size, and seen by no other thread.
        unsafe { libc::munmap(place, size_of::<Page>()) };
    }
    page()
}

/// Whether the library has made a listen socket non-blocking, in this process or one that shares
/// it by fork.
#[derive(Clone, Copy, Debug)]
pub struct Mark(&'static AtomicU32);

impl Mark {
    /// Notes that the library makes the socket non-blocking. For good: the flag may come from us.
    pub fn set(self) {
        self.0.store(1, Ordering::SeqCst);
    }

    /// Whether the library has ever made it non-blocking.
    pub fn is_set(self) -> bool {
        self.0.load(Ordering::SeqCst) != 0
    }
}

/// Gives the listen socket a fresh mark. Without a place for one it counts as inherited.
pub fn register(fd: RawFd) {
    forget(fd);
    let Some(page) = page().or_else(map_page) else { return };
    let Some((count, marks)) = page.split_first() else { return };
    let number = count.fetch_add(1, Ordering::Relaxed);
    if (number as usize) >= marks.len() {
        count.store(MARKS as u32, Ordering::Relaxed);
        return;
    }
    let free = |entry: &&Entry| {
        entry.fd.compare_exchange(-1, -2, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    };
    if let Some(entry) = ENTRIES.iter().find(free) {
        entry.mark.store(number, Ordering::Release);
        entry.fd.store(fd, Ordering::Release);
    }
}

/// Takes the mark away from a number that stands for another socket now.
pub fn forget(fd: RawFd) {
    for entry in &ENTRIES {
        let _ = entry.fd.compare_exchange(fd, -1, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// The mark of a socket that FCGX_OpenSocket made in this process or in a parent.
pub fn of(fd: RawFd) -> Option<Mark> {
    let entry = ENTRIES.iter().find(|entry| entry.fd.load(Ordering::Acquire) == fd)?;
    let number = entry.mark.load(Ordering::Acquire) as usize;
    page()?.get(number + 1).map(Mark)
}

/// Whether the program itself has made the listen socket non-blocking, for a wait of its own.
pub fn is_programs_wish(fd: RawFd) -> bool {
    // In this order: the library sets the mark before the flag.
    is_nonblocking(fd).unwrap_or(false) && of(fd).is_some_and(|mark| !mark.is_set())
}

/// Makes the listen socket non-blocking for the library's own purposes. Anything else at its number is
/// left alone: that is an error.
pub fn make_nonblocking(fd: RawFd) -> io::Result<()> {
    if !is_nonblocking(fd)? {
        check_listens(fd)?;
        if let Some(mark) = of(fd) {
            mark.set();
        }
        set_nonblocking(fd, true)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_belongs_to_one_opening() {
        let fd = 1_000_001;
        assert!(of(fd).is_none());
        register(fd);
        let mark = of(fd).unwrap();
        assert!(!mark.is_set());
        mark.set();
        assert!(of(fd).unwrap().is_set());
        register(fd);
        assert!(!of(fd).unwrap().is_set());
        forget(fd);
        assert!(of(fd).is_none());
    }
}
