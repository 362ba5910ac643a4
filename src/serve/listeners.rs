//! The listeners of this process, one per listen socket.

use std::os::fd::RawFd;
use std::sync::Arc;

use parking_lot::Mutex;

use super::listener::Listener;
use super::store::SESSIONS;
use crate::os::fork::PerProcess;
use crate::os::socket;

type List = Mutex<Vec<Arc<Listener>>>;

static LISTENERS: PerProcess<List> = PerProcess::new();

/// This process's listeners. In a child the parent's are given up first.
fn all() -> &'static List {
    if let Some(parents) = LISTENERS.inherited() {
        if let Some(mut list) = parents.try_lock() {
            // The first thread of the child to come here does it.
            list.drain(..).for_each(|listener| listener.abandon());
        }
    }
    LISTENERS.get()
}

/// The listener of a listen socket.
pub fn of(fd: RawFd) -> Arc<Listener> {
    let mut list = all().lock();
    if let Some(listener) = list.iter().find(|listener| listener.fd == fd) {
        return Arc::clone(listener);
    }
    // An inherited TCP socket may be without it; connections get it from there. Any other socket
    // refuses.
    let _ = socket::set_nodelay(fd);
    let listener = Arc::new(Listener::new(fd));
    list.push(Arc::clone(&listener));
    listener
}

/// The number stands for a new listen socket: what waits for an earlier one has lost its way in.
pub fn opened(fd: RawFd) {
    let mut list = all().lock();
    let old = list.iter().position(|listener| listener.fd == fd).map(|at| list.swap_remove(at));
    drop(list);
    if let Some(listener) = old {
        listener.close_parked();
    }
}

/// Closes every parked connection and gives back memory kept for later.
pub fn shut_down() {
    let listeners: Vec<_> = all().lock().clone();
    for listener in listeners {
        listener.close_parked();
    }
    SESSIONS.clear();
}
