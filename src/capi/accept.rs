//! Waiting for the next request of an `FCGX_Request`.

use std::ffi::c_int;
use std::{io, mem};

use super::layout::{FCGI_FAIL_ACCEPT_ON_INTR, FCGX_Request, limit_of};
use super::{parked, request};
use crate::os::fork::ForkEpoch;
use crate::serve::head::wait_alone;
use crate::serve::key::Key;
use crate::serve::last::Last;
use crate::serve::listener::Listener;
use crate::serve::wait::{Owner, Wait};
use crate::serve::{AcceptOptions, Connection, config, registry};

/// Returns the options of a wait for a request with these flags.
pub(super) fn options_of(flags: c_int) -> AcceptOptions<'static> {
    AcceptOptions {
        fail_on_intr: flags & FCGI_FAIL_ACCEPT_ON_INTR != 0,
        limit: limit_of(flags),
        ..AcceptOptions::plain(config::get())
    }
}

/// Waits for a request and puts it into `request`. After a failure, `request` may still have a parked
/// connection and a block.
///
/// # Safety
///
/// `request` points to a request that was initialised and holds no accepted one.
#[inline(never)]
pub(super) unsafe fn next(request: *mut FCGX_Request, options: &AcceptOptions) -> io::Result<()> {
    // SAFETY: the caller passes an initialised request.
    let sock = unsafe { (*request).listen_sock };
    // SAFETY: the caller passes an initialised request.
    let (given, key) = unsafe { (request::take_kept(request), parked::take_key(request)) };
    // SAFETY: the caller passes an initialised request.
    let fd = unsafe { mem::replace(&mut (*request).ipcFd, -1) };
    let returns = given.is_some() || key.is_some();
    let owner = if returns { Owner::Returns } else { Owner::MayBeGone };
    let mut listener = match registry::of(sock) {
        Ok(listener) => listener,
        Err(error) => {
            given.into_iter().for_each(Connection::close);
            return Err(error.into());
        }
    };
    let mut last = last_connection(&listener, given, key, fd);
    // SAFETY: the caller passes an initialised request without an accepted one.
    if last.is_none() && fd >= 0 && unsafe { accept_on(request, fd, options)? } {
        return Ok(());
    }
    loop {
        let last = last.take().unwrap_or(Last::None);
        let ((connection, begin), its) = registry::next(listener, options, last)?;
        listener = its;
        // Out of memory, this request is lost; another one may fit.
        // SAFETY: the caller passes an initialised request without an accepted one.
        if unsafe { request::begin(request, connection, begin, owner) }.is_ok() {
            return Ok(());
        }
    }
}

/// Returns the connection of the last request on this struct: `given` if it stayed there, that of `key` if
/// it is parked. Returns `None` if it had neither: then `fd` may be a connection that the program has put
/// into ipcFd.
#[inline(always)]
fn last_connection(
    listener: &Listener,
    given: Option<Connection>,
    key: Option<Key>,
    fd: c_int,
) -> Option<Last> {
    match (given, key) {
        // The parent continues to serve it.
        (Some(given), _) if given.is_inherited() => {
            given.close_copy();
            Some(Last::None)
        }
        (Some(given), _) => Some(Last::Given(given)),
        (None, Some(key)) => parked::last(listener, key, fd),
        (None, None) => None,
    }
}

/// Waits for a request on a connection that the program itself has put into `request`. Returns false if the
/// connection ends without one.
///
/// # Safety
///
/// As for [`next`].
unsafe fn accept_on(
    request: *mut FCGX_Request,
    fd: c_int,
    options: &AcceptOptions,
) -> io::Result<bool> {
    let connection = Connection::open(fd, ForkEpoch::now())?;
    let Some((connection, begin)) = wait_alone(connection, Wait::IDLE, None, options)? else {
        return Ok(false);
    };
    // SAFETY: the caller passes an initialised request without an accepted one.
    Ok(unsafe { request::begin(request, connection, begin, Owner::MayBeGone) }.is_ok())
}
