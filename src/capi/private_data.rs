//! What `FCGX_Stream.data` points to in streams of ours, as far as others know it.
//!
//! The original keeps a private struct there. Programs that want to know whether the web server's
//! client has gone (QGIS Server) declare it once more, read the request's address from it, and the
//! connection from the request. So the address stands at the same place here, for in, out and err.

use std::ffi::c_int;
use std::mem::offset_of;

use super::layout::{FCGX_Request, FCGX_Stream};

/// Which of our structs begins with a [`PrivateData`]. No program has a pointer to one of these.
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
    /// Four pointers and seven numbers of the original's, always 0.
    pointers: [usize; 4],
    numbers: [c_int; 7],
    /// The request that the stream belongs to; NULL for one of FCGX_CreateWriter.
    pub(super) request: *mut FCGX_Request,
    kind: *const Kind,
}

const _: () = assert!(
    offset_of!(PrivateData, request) == if size_of::<usize>() == 8 { 64 } else { 44 },
    "programs read the request's address at this place"
);

impl PrivateData {
    /// Of a stream without a request.
    pub(super) const fn new(kind: &'static Kind) -> Self {
        Self { pointers: [0; 4], numbers: [0; 7], request: std::ptr::null_mut(), kind }
    }

    /// The private data of a stream that lies `distance` bytes behind it in a struct of this kind,
    /// whatever procedures the program has put into the stream; NULL for any other stream.
    ///
    /// # Safety
    ///
    /// `stream` points to a stream. `distance` is more than the size of a `PrivateData`.
    pub(super) unsafe fn before(
        stream: *mut FCGX_Stream,
        distance: usize,
        kind: &'static Kind,
    ) -> *mut Self {
        // SAFETY: the caller's promise.
        let data: *mut Self = unsafe { (*stream).data.cast() };
        if data.is_null() || data.addr().wrapping_add(distance) != stream.addr() {
            return std::ptr::null_mut();
        }
        // SAFETY: `data` points to what lies before the stream in the same struct, whoever made
        // that; it may be read. Only a struct of ours has this pointer in it.
        let found = unsafe { (&raw const (*data).kind).read_unaligned() };
        if std::ptr::eq(found, kind) { data } else { std::ptr::null_mut() }
    }
}
