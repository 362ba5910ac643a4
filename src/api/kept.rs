//! The kept connection of the last request that a thread has ended: the thread looks there first when it waits
//! for its next request.

use std::cell::Cell;
use std::os::fd::RawFd;

use crate::serve::key::{Key, Tenant};
use crate::serve::last::Last;
use crate::serve::listener::Listener;

/// A connection that was kept.
#[derive(Clone, Copy, Debug)]
struct Kept {
    listen_fd: RawFd,
    key: Key,
    fd: RawFd,
}

thread_local! {
    static KEPT: Cell<Option<Kept>> = const { Cell::new(None) };
}

/// Notes the connection that the calling thread has kept.
pub(super) fn note(listen_fd: RawFd, key: Key, fd: RawFd) {
    // It has no destructor, so a thread has it to its end.
    let _ = KEPT.try_with(|kept| kept.set(Some(Kept { listen_fd, key, fd })));
}

/// Takes the connection that the calling thread has kept, if it came through the listener of this
/// listen socket and still waits.
pub(super) fn take(listener: &Listener, listen_fd: RawFd) -> Last {
    match KEPT.try_with(Cell::take).ok().flatten() {
        Some(kept)
            if kept.listen_fd == listen_fd
                && listener.tenant(kept.key, kept.fd) == Tenant::Same =>
        {
            Last::Parked(kept.key, kept.fd)
        }
        _ => Last::None,
    }
}
