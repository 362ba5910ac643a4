//! The part of the library's `FCGX_Stream.data` whose layout programs rely on.
//!
//! The original keeps a private struct there. Some programs (QGIS Server) copy its declaration to read
//! the request's address from it, and the connection from the request, to find out whether the web
//! server's client has disconnected. So the address is at the same offset here, for in, out and err.

use std::ffi::c_int;
use std::mem::offset_of;

use super::layout::{FCGX_Request, FCGX_Stream};

/// Identifies the struct that a [`PrivateData`] begins, by address. No program has such an address.
#[derive(Debug)]
pub(super) struct Kind(#[allow(dead_code, reason = "two statics need two places")] u8);

/// [`super::block::Input`].
pub(super) static INPUT: Kind = Kind(0);
/// [`super::writer::Output`].
pub(super) static OUTPUT: Kind = Kind(1);

/// The beginning of an input or an output.
#[repr(C)]
#[derive(Debug)]
pub(super) struct PrivateData {
    /// The original has four pointers and seven numbers here. They are always 0.
    pointers: [usize; 4],
    numbers: [c_int; 7],
    /// The request of the stream; NULL for one of FCGX_CreateWriter.
    pub(super) request: *mut FCGX_Request,
    kind: *const Kind,
}

const _: () = assert!(
    offset_of!(PrivateData, request) == if size_of::<usize>() == 8 { 64 } else { 44 },
    "programs read the request's address at this place"
);

impl PrivateData {
    /// Makes the data of a stream without a request.
    pub(super) const fn new(kind: &'static Kind) -> Self {
        Self { pointers: [0; 4], numbers: [0; 7], request: std::ptr::null_mut(), kind }
    }

    /// Returns the private data of a stream that lies `distance` bytes behind it in a struct of this
    /// kind, even if the program has replaced the stream's procedures; NULL for any other stream.
    ///
    /// # Safety
    ///
    /// `stream` points to a stream. `distance` is greater than the size of a `PrivateData`.
    pub(super) unsafe fn before(
        stream: *mut FCGX_Stream,
        distance: usize,
        kind: &'static Kind,
    ) -> *mut Self {
        // SAFETY: the caller passes a stream.
        let data: *mut Self = unsafe { (*stream).data.cast() };
        if data.is_null() || data.addr().wrapping_add(distance) != stream.addr() {
            return std::ptr::null_mut();
        }
        // SAFETY: `data` lies `distance` bytes before the stream, so it points into the struct that
        // contains the stream, which may be read. Only the library's structs contain `kind`.
        let found = unsafe { (&raw const (*data).kind).read_unaligned() };
        if std::ptr::eq(found, kind) { data } else { std::ptr::null_mut() }
    }
}
