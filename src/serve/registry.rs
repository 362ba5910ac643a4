//! The listeners of this process, one for each listen socket.

use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::sync::Arc;

use super::accept_options::AcceptOptions;
use super::connection::Connection;
use super::head::AcceptedRequest;
use super::heads_budget;
use super::key::Key;
use super::last::Last;
use super::listener::Listener;
use super::outbound;
use super::store::EXCHANGES;
use crate::os::error::is_cancelled;
use crate::os::fork::{self, PerProcess};
use crate::os::lock::Lock;
use crate::os::memory::{NoMemory, push};
use crate::os::{shutdown, socket};

type List = Lock<Vec<Arc<Listener>>>;

static LISTENERS: PerProcess<List> = PerProcess::new(Lock::new(Vec::new()));

/// Returns this process's listeners.
fn all() -> Result<&'static List, NoMemory> {
    LISTENERS.get().ok_or(NoMemory)
}

/// Closes a new child's copies of the parent's idle connections, so that their peers see when the parent
/// closes them. Leaves them open if the lock was held at the moment of the fork.
fn abandon_parents() {
    if let Some(list) = LISTENERS.inherited().and_then(Lock::try_lock) {
        list.iter().for_each(|listener| listener.pool().abandon());
    }
}

/// Returns the listener of a listen socket; makes it if there is none.
#[inline]
pub fn of(fd: RawFd) -> Result<Arc<Listener>, NoMemory> {
    let mut list = all()?.lock();
    match list.iter().find(|listener| listener.fd() == fd) {
        Some(listener) => Ok(Arc::clone(listener)),
        None => add(fd, &mut list),
    }
}

#[cold]
fn add(fd: RawFd, list: &mut Vec<Arc<Listener>>) -> Result<Arc<Listener>, NoMemory> {
    fork::set_child_clean_up(abandon_parents);
    // An inherited TCP socket may lack the option, which connections inherit. Other sockets refuse it.
    let _ = socket::set_nodelay(fd);
    let listener = Arc::new(Listener::new(fd));
    heads_budget::enlist(listener.pool())?;
    push(list, Arc::clone(&listener)).map_err(|_| NoMemory)?;
    Ok(listener)
}

/// Returns the listener of a listen socket, if there is one.
pub(crate) fn existing(fd: RawFd) -> Option<Arc<Listener>> {
    all().ok()?.lock().iter().find(|listener| listener.fd() == fd).map(Arc::clone)
}

/// Takes a connection out of any pool, if it is still parked with this key and descriptor.
pub(crate) fn take_out(key: Key, fd: RawFd) -> Option<Connection> {
    let list = all().ok()?.lock();
    let mut pools = list.iter().map(|listener| listener.pool());
    pools.find_map(|pool| Connection::taken_out(pool, pool.look(|s| s.take_same(key, fd))?))
}

/// Returns whether threads wait on a listener, or connections accepted from it are open. The caller holds
/// the list's lock: threads come to wait through [`of`] only.
fn is_used(listener: &Arc<Listener>) -> bool {
    Arc::strong_count(listener) > 1 || listener.pool().look(|state| state.parking.is_any_known())
}

/// Notes that the program has opened a listen socket with this number. Threads that wait at an earlier
/// one, and connections that were accepted from it, go on with the new one.
pub(crate) fn opened(fd: RawFd) {
    let Ok(list) = all() else { return };
    let mut list = list.lock();
    let Some(at) = list.iter().position(|listener| listener.fd() == fd) else { return };
    match list.get(at) {
        Some(listener) if is_used(listener) || listener.pool().is_polled() => {
            listener.go_on_with_another();
        }
        _ => drop(list.swap_remove(at)),
    }
}

/// Waits for the next request of a listener, and returns it with the listener that it came from: in a child
/// that a signal handler makes meanwhile, that is one of its own. `last`: the connection that the caller's
/// last request came on.
///
/// Errors are those of [`Listener::next`], and ECANCELED by [`AcceptOptions::cancel`]. When shutting down, the caller stops waiting: if no other thread
/// uses the listener, the listen socket is restored for other processes.
#[inline(always)]
pub(crate) fn next(
    listener: Arc<Listener>,
    options: &AcceptOptions,
    last: Last,
) -> io::Result<(AcceptedRequest, Arc<Listener>)> {
    let Some(cancel) = options.cancel else { return next_of(listener, options, last) };
    cancel.begin();
    let result = next_of(listener, options, last);
    match &result {
        Err(error) if is_cancelled(error) => cancel.end_cancelled(),
        _ => cancel.end(),
    }
    result
}

#[inline(always)]
fn next_of(
    mut listener: Arc<Listener>,
    options: &AcceptOptions,
    mut last: Last,
) -> io::Result<(AcceptedRequest, Arc<Listener>)> {
    loop {
        let error = match listener.next(options, last) {
            Ok(accepted) => return Ok((accepted, listener)),
            Err(error) => error,
        };
        if !listener.belongs_to_parent() {
            let comes_again = error.kind() == ErrorKind::WouldBlock || is_cancelled(&error);
            if shutdown::is_requested() && !comes_again {
                stop_waiting(listener);
            }
            return Err(error);
        }
        (listener, last) = (of(listener.fd())?, Last::None);
    }
}

#[cold]
fn stop_waiting(listener: Arc<Listener>) {
    let Ok(list) = all() else { return };
    // New users come through `of` only, which needs the lock.
    let list = list.lock();
    let fd = listener.fd();
    drop(listener);
    let is_unused = |listener: &&Arc<Listener>| Arc::strong_count(listener) == 1;
    if let Some(listener) = list.iter().find(|listener| listener.fd() == fd).filter(is_unused) {
        listener.leave();
    }
}

/// Restores the listen sockets for other processes, as the process ends. Does nothing if the lock is
/// held.
pub(crate) fn leave() {
    if let Some(list) = LISTENERS.existing().and_then(Lock::try_lock) {
        list.iter().for_each(|listener| listener.leave());
    }
}

/// Closes every parked connection and frees spare memory. A listener stays if threads wait on it or a
/// request in progress came through it; returns whether there is one. One that the program polls stays, too:
/// its descriptor must not become another file's.
pub(crate) fn shut_down() -> bool {
    let mut passed = 0;
    while let Some(listener) = all().ok().and_then(|list| list.lock().get(passed).map(Arc::clone)) {
        listener.pool().close_all();
        passed += 1;
    }
    let mut is_any_used = false;
    if let Ok(list) = all() {
        let mut list = list.lock();
        list.retain(|listener| {
            let is_used = is_used(listener);
            if !is_used {
                listener.leave();
            }
            is_any_used |= is_used;
            is_used || listener.pool().is_polled()
        });
        if list.is_empty() {
            *list = Vec::new();
        }
    }
    heads_budget::forget_gone();
    EXCHANGES.clear();
    outbound::clear_spare();
    is_any_used
}
