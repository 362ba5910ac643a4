//! The connection of a finished `FCGX_Request` that waits for the next one: in the pool of its listen socket,
//! with all others.

use std::ffi::c_int;
use std::{mem, ptr};

use super::block::{block_of, release, release_buffers};
use super::layout::FCGX_Request;
use crate::os::descriptor;
use crate::serve::key::{Key, Tenant};
use crate::serve::last::Last;
use crate::serve::listener::Listener;
use crate::serve::wait::Owner;
use crate::serve::{Connection, config, registry};

/// Takes the place where the connection of the last request waits since that was finished. It is kept in
/// fields of the library's own, which count something else while a request has a block.
///
/// # Safety
///
/// As for [`block_of`].
pub(super) unsafe fn take_key(request: *mut FCGX_Request) -> Option<Key> {
    // SAFETY: the caller's promise; the fields are plain data.
    let (slot, generation) = unsafe {
        if !(*request).paramsPtr.is_null() {
            return None;
        }
        (mem::take(&mut (*request).nWriters), mem::take(&mut (*request).isBeginProcessed))
    };
    let slot = slot.checked_sub(1)?.try_into().ok()?;
    Some(Key::from_parts(slot, generation as u32))
}

/// # Safety
///
/// As for [`block_of`]; the request has no block.
unsafe fn put_key(request: *mut FCGX_Request, key: Key) {
    let (slot, generation) = key.parts();
    // SAFETY: the caller's promise. There are fewer slots than descriptors.
    unsafe {
        (*request).nWriters = slot as c_int + 1;
        (*request).isBeginProcessed = generation as c_int;
    }
}

/// The request is finished and its connection stays. It waits for the next request with those that wait
/// for the listen socket, and its number stays in ipcFd. Where there is no such waiting it stays with
/// the request, and so does the block.
///
/// # Safety
///
/// As for [`block_of`].
pub(super) unsafe fn give_back(request: *mut FCGX_Request) {
    // SAFETY: the caller's promise.
    let (block, fd, listen_sock) =
        unsafe { (block_of(request), (*request).ipcFd, (*request).listen_sock) };
    // SAFETY: nothing else reaches the block now.
    let Some((connection, owner)) =
        (unsafe { block.as_mut() }).and_then(|block| Some((block.connection.take()?, block.owner)))
    else {
        return;
    };
    let key = if connection.fd == fd {
        key_of(connection, listen_sock, owner)
    } else {
        // The program has put another one there.
        connection.release();
        Ok(None)
    };
    // SAFETY: as above; without a block the request's fields are the library's.
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

/// Where a connection waits from now on whose request is finished.
fn key_of(
    mut connection: Connection,
    listen_sock: c_int,
    owner: Owner,
) -> Result<Option<Key>, Connection> {
    connection.keep();
    let config = config::get();
    let connection = match connection.return_to_pool(listen_sock, owner, config) {
        Ok(key) => return Ok(Some(key)),
        Err(connection) => connection,
    };
    match registry::of(listen_sock) {
        Ok(listener) => listener.take_back(connection, owner, config).map(Some),
        Err(_) => Err(connection),
    }
}

/// Takes the connection of a finished request out of its place; it is closed, or left to the program. A
/// thread that has taken it for its next request keeps it.
///
/// # Safety
///
/// As for [`block_of`].
pub(super) unsafe fn end(
    request: *mut FCGX_Request,
    (key, fd): (Key, c_int),
    close: bool,
    detached: bool,
) {
    // SAFETY: the caller's promise.
    let listen_sock = unsafe { (*request).listen_sock };
    let listener = registry::existing(listen_sock)
        .filter(|listener| listener.tenant(key, fd) == Tenant::Another);
    if let Some(listener) = listener {
        listener.forget(key);
        return close_unknown(fd, close);
    }
    match registry::take_out(key, fd) {
        Some(connection) if close && detached => connection.close_detached_copy(),
        Some(connection) if close => connection.close(),
        Some(connection) => connection.release(),
        // SAFETY: as above. The number is not the request's any more.
        None => unsafe { (*request).ipcFd = -1 },
    }
}

/// What a thread waits for that accepts a request on the structure of a finished one, whose connection
/// waits in that place. `None` when the program has put another descriptor than its into the structure:
/// then it is forgotten.
pub(super) fn last(listener: &Listener, key: Key, fd: c_int) -> Option<Last> {
    match listener.tenant(key, fd) {
        Tenant::Same => Some(Last::Parked(key, fd)),
        Tenant::Another => {
            listener.forget(key);
            None
        }
        // The program may have come to wait for another listen socket.
        Tenant::Unknown => Some(registry::take_out(key, fd).map_or(Last::None, Last::Given)),
    }
}

/// Closes a descriptor that the program has put into its request.
pub(super) fn close_unknown(fd: c_int, close: bool) {
    if close && fd >= 0 {
        descriptor::shutdown_write(fd);
        descriptor::close(fd);
    }
}
