//! The memory behind an accepted `FCGX_Request`.

use std::ffi::c_int;
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::layout::{FCGX_Request, FCGX_Stream, NO_STREAM};
use super::private_data::{INPUT, PrivateData};
use super::writer::Output;
use crate::os::memory::{NoMemory, boxed};
use crate::serve::Connection;
use crate::serve::sending::Sending;
use crate::serve::store::{MOST, Store};
use crate::serve::wait::Owner;

/// The body's stream, and what stands behind it.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Input {
    pub(super) data: PrivateData,
    /// The block that this is part of.
    pub(super) block: *mut Block,
    pub(super) stream: FCGX_Stream,
}

impl Input {
    /// For no request yet.
    pub(super) const fn new() -> Self {
        Self { data: PrivateData::new(&INPUT), block: ptr::null_mut(), stream: NO_STREAM }
    }
}

/// Streams, output buffers and connection of one request.
#[derive(Debug)]
pub struct Block {
    pub(super) connection: Option<Connection>,
    pub(super) owner: Owner,
    pub(super) sending: Sending,
    pub(super) body: Input,
    pub(super) out: Output,
    pub(super) err: Output,
}

impl Block {
    fn new() -> Self {
        Self {
            connection: None,
            owner: Owner::MayBeGone,
            sending: Sending::new(),
            body: Input::new(),
            out: Output::new(),
            err: Output::new(),
        }
    }
}

/// A block whose parts know each other, which stays where it is.
fn new_block() -> Result<*mut Block, NoMemory> {
    let block = Box::into_raw(boxed(Block::new())?);
    // SAFETY: just made; what the parts point to lives as long as they do.
    unsafe {
        let sending = &raw const (*block).sending;
        (*block).body.block = block;
        (*block).out.writer.sends_by(sending);
        (*block).err.writer.sends_by(sending);
    }
    Ok(block)
}

/// A block that no request uses. It stays where it is, and is reached by one pointer all its life: its
/// parts know each other.
struct Spare(*mut Block);

impl Spare {
    fn into_raw(self) -> *mut Block {
        ManuallyDrop::new(self).0
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        // SAFETY: made by Box in `new_block`; no request uses it any more.
        drop(unsafe { Box::from_raw(self.0) });
    }
}

// SAFETY: a spare block has no connection and no streams in use; its pointers are never followed.
unsafe impl Send for Spare {}

static BLOCKS: Store<Spare> = Store::new(MOST);

/// Requests that have a block. A child counts its parent's, too, which may go on in it.
static WITH_BLOCK: AtomicUsize = AtomicUsize::new(0);

/// Whether a request is in progress, or finished with its connection kept.
pub fn is_any_in_progress() -> bool {
    WITH_BLOCK.load(Ordering::SeqCst) > 0
}

/// The block behind a request; NULL when it has none.
///
/// # Safety
///
/// `request` points to a request that FCGX_InitRequest or zeros have prepared.
pub unsafe fn block_of(request: *mut FCGX_Request) -> *mut Block {
    // SAFETY: the caller's promise. What is not NULL was put there by `request::begin`.
    unsafe { (*request).paramsPtr.cast() }
}

/// The connection's descriptor as the program has it.
///
/// # Safety
///
/// `block` is the live block of an accepted request.
pub(super) unsafe fn descriptor(block: *mut Block) -> c_int {
    // SAFETY: the caller's promise; the request was accepted into this place and has not moved.
    unsafe { (*(*block).body.data.request).ipcFd }
}

/// The sending side of its connection, which all threads of a request may use.
///
/// # Safety
///
/// `block` is live as long as the result is used.
pub(super) unsafe fn sending<'a>(block: *mut Block) -> &'a Sending {
    // SAFETY: the caller's promise; there is no other kind of reference to this place.
    unsafe { &(*block).sending }
}

/// The connection behind a stream of ours.
///
/// # Safety
///
/// `block` is the live block of an accepted request. The result is used before anything else
/// reaches the block's connection.
pub(super) unsafe fn connection<'a>(block: *mut Block) -> Option<&'a mut Connection> {
    // SAFETY: the caller's promise; the place is not reached through any other reference.
    unsafe { (*block).connection.as_mut() }
}

/// Takes a block that no request uses, or makes one, for a request.
pub(super) fn take() -> Result<*mut Block, NoMemory> {
    let block = BLOCKS.take().map_or_else(new_block, |spare| Ok(spare.into_raw()))?;
    WITH_BLOCK.fetch_add(1, Ordering::SeqCst);
    Ok(block)
}

/// Lets go of what a finished request needs no more.
pub(super) fn release_buffers(block: &mut Block) {
    block.out.writer.release();
    block.err.writer.release();
}

/// Keeps a block that its request has let go for later ones, or frees it.
///
/// # Safety
///
/// `block` is from [`take`], and its request was its only user.
pub(super) unsafe fn release(block: *mut Block) {
    WITH_BLOCK.fetch_sub(1, Ordering::SeqCst);
    // SAFETY: the caller's promise.
    unsafe {
        release_buffers(&mut *block);
        BLOCKS.put(Spare(block));
    }
}

/// Frees the blocks that are kept for later requests.
pub fn clear() {
    BLOCKS.clear();
}
