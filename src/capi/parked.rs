//! The connection of a finished `FCGX_Request`: it waits for its next request in the pool of its listen
//! socket.

use std::ffi::c_int;
use std::{mem, ptr};

use super::block::{block_of, release, release_buffers};
use super::layout::{FCGX_Request, limit_of};
use super::opaque::OpaqueRequest;
use crate::os::descriptor;
use crate::serve::key::{Key, Tenant};
use crate::serve::last::Last;
use crate::serve::listener::Listener;
use crate::serve::wait::Owner;
use crate::serve::{Connection, Limit, config, registry};

/// What becomes of a request's descriptor when the request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtEnd {
    /// The library closes it.
    Close,
    /// The pool of this listen socket closes it when the peer has read the response. The caller does not wait.
    CloseLater(c_int),
    /// The library closes it without waiting for the peer, which sees that the response is not whole.
    Discard,
    /// The library closes this process's copy; another process goes on using the connection.
    CloseCopy,
    /// It stays open, for the program.
    Leave,
}

impl AtEnd {
    /// Does this to a connection.
    pub(super) fn apply(self, connection: Connection) {
        match self {
            Self::Close => connection.close(),
            Self::CloseLater(listen_sock) => close_later(connection, listen_sock),
            Self::Discard if connection.is_inherited() => connection.close_copy(),
            Self::Discard => connection.discard(),
            Self::CloseCopy => connection.close_detached_copy(),
            Self::Leave => connection.release(),
        }
    }

    /// Does this to a descriptor that the program has put into its request; -1 for none.
    pub(super) fn apply_unknown(self, fd: c_int) {
        if self != Self::Leave && fd >= 0 {
            descriptor::shutdown_write(fd);
            descriptor::close(fd);
        }
    }
}

fn close_later(connection: Connection, listen_sock: c_int) {
    match registry::of(listen_sock) {
        Ok(listener) => listener.close_later(connection, config::get()),
        Err(_) => connection.close(),
    }
}

/// Takes the key under which the connection of a finished request is parked. It is in two fields that count
/// something else while the request has a block.
///
/// # Safety
///
/// As for [`block_of`].
pub(super) unsafe fn take_key(request: *mut FCGX_Request) -> Option<Key> {
    // SAFETY: the caller passes an initialised request; the fields are plain data.
    let (slot, generation) = unsafe {
        if !(*request).paramsPtr.is_null() {
            return None;
        }
        (mem::take(&mut (*request).nWriters), mem::take(&mut (*request).isBeginProcessed))
    };
    let slot = slot.checked_sub(1)?.try_into().ok()?;
    Some(Key::from_parts(slot, generation as u32))
}

/// Stores the key for [`take_key`].
///
/// # Safety
///
/// As for [`block_of`]; the request has no block.
unsafe fn put_key(request: *mut FCGX_Request, key: Key) {
    let (slot, generation) = key.parts();
    // SAFETY: the caller passes a request without a block. The slot fits: the pool has fewer of them
    // than there are descriptors.
    unsafe {
        (*request).nWriters = slot as c_int + 1;
        (*request).isBeginProcessed = generation as c_int;
    }
}

/// Parks the connection of a finished request in the pool of its listen socket; ipcFd keeps its number.
/// Where no pool takes it, the connection stays with the request, and so does the block.
///
/// # Safety
///
/// As for [`block_of`].
#[inline(always)]
pub(super) unsafe fn give_back(request: *mut FCGX_Request) {
    // SAFETY: the caller passes an initialised request.
    let (block, fd, listen_sock) =
        unsafe { (block_of(request), (*request).ipcFd, (*request).listen_sock) };
    // SAFETY: the caller passes an initialised request.
    if let Some(opaque) = unsafe { OpaqueRequest::of(request) } {
        opaque.end();
    }
    // SAFETY: the request is finished, so nothing else uses its block.
    let Some((connection, owner)) =
        (unsafe { block.as_mut() }).and_then(|block| Some((block.connection.take()?, block.owner)))
    else {
        return;
    };
    let key = if connection.fd == fd {
        // SAFETY: the caller passes an initialised request.
        key_of(connection, listen_sock, owner, limit_of(unsafe { (*request).flags }))
    } else {
        // The program has put another descriptor into ipcFd.
        connection.release();
        Ok(None)
    };
    // SAFETY: the request and its block are the ones above; without a block the two fields of the key
    // are the library's.
    unsafe {
        match key {
            Ok(key) => {
                (*request).paramsPtr = ptr::null_mut();
                ((*request).nWriters, (*request).isBeginProcessed) = (0, 0);
                key.into_iter().for_each(|key| put_key(request, key));
                release(block);
            }
            Err(connection) => {
                (*block).connection = Some(connection);
                release_buffers(&mut *block);
            }
        }
    }
}

/// Parks a connection whose request is finished and returns its key. Returns the connection if no pool
/// takes it.
#[inline(always)]
fn key_of(
    mut connection: Connection,
    listen_sock: c_int,
    owner: Owner,
    limit: Limit,
) -> Result<Option<Key>, Connection> {
    connection.keep();
    let config = config::get();
    let connection = match connection.return_to_pool(listen_sock, owner, config) {
        Ok(key) => return Ok(Some(key)),
        Err(connection) => connection,
    };
    match registry::of(listen_sock) {
        Ok(listener) => listener.take_back(connection, owner, limit, config).map(Some),
        Err(_) => Err(connection),
    }
}

/// Takes the connection of a finished request out of the pool and does `at_end` to it. A thread that has
/// accepted its next request keeps it.
///
/// # Safety
///
/// As for [`block_of`].
pub(super) unsafe fn end(request: *mut FCGX_Request, (key, fd): (Key, c_int), at_end: AtEnd) {
    // SAFETY: the caller passes an initialised request.
    let listen_sock = unsafe { (*request).listen_sock };
    let listener = registry::existing(listen_sock)
        .filter(|listener| listener.tenant(key, fd) == Tenant::Another);
    if let Some(listener) = listener {
        listener.forget(key);
        return at_end.apply_unknown(fd);
    }
    match registry::take_out(key, fd) {
        Some(connection) => at_end.apply(connection),
        // The number is no longer the request's.
        // SAFETY: the caller passes an initialised request.
        None => unsafe { (*request).ipcFd = -1 },
    }
}

/// Returns what a thread in Accept waits for if `key` is that of its finished request. Returns `None`, and
/// forgets the parked connection, if the program has put another descriptor into the request.
pub(super) fn last(listener: &Listener, key: Key, fd: c_int) -> Option<Last> {
    match listener.tenant(key, fd) {
        Tenant::Same => Some(Last::Parked(key, fd)),
        Tenant::Another => {
            listener.forget(key);
            None
        }
        // The program may have changed the request's listen socket.
        Tenant::Unknown => Some(registry::take_out(key, fd).map_or(Last::None, Last::Given)),
    }
}
