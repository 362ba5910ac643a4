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

/// The stream of the request's body, and the library's data for it.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Input {
    pub(super) data: PrivateData,
    /// The block that contains this input.
    pub(super) block: *mut Block,
    pub(super) stream: FCGX_Stream,
}

impl Input {
    /// Makes an input without a request.
    pub(super) const fn new() -> Self {
        Self { data: PrivateData::new(&INPUT), block: ptr::null_mut(), stream: NO_STREAM }
    }
}

/// The streams, output buffers and connection of one request.
#[derive(Debug)]
pub(super) struct Block {
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

/// Makes a block. It must not move: its parts point to each other.
fn new_block() -> Result<*mut Block, NoMemory> {
    let block = Box::into_raw(boxed(Block::new())?);
    // SAFETY: `block` is a fresh allocation; what its parts point to is in the same block.
    unsafe {
        let sending = &raw const (*block).sending;
        (*block).body.block = block;
        (*block).out.writer.sends_by(sending);
        (*block).err.writer.sends_by(sending);
    }
    Ok(block)
}

/// A block that no request uses. It never moves and is only reached through this pointer, because its
/// parts point to each other.
struct Spare(*mut Block);

impl Spare {
    fn into_raw(self) -> *mut Block {
        ManuallyDrop::new(self).0
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        // SAFETY: `new_block` made it with Box, and no request uses it.
        drop(unsafe { Box::from_raw(self.0) });
    }
}

// SAFETY: a spare block has no connection and no stream in use, so its pointers are not followed.
unsafe impl Send for Spare {}

static BLOCKS: Store<Spare> = Store::new(MOST);

/// The number of requests that have a block. A forked child keeps its parent's count: it may continue
/// these requests.
static WITH_BLOCK: AtomicUsize = AtomicUsize::new(0);

/// Returns whether any request is in progress, or finished with its connection kept in the request.
pub(super) fn is_any_in_progress() -> bool {
    WITH_BLOCK.load(Ordering::SeqCst) > 0
}

/// Returns the block of a request; NULL if it has none.
///
/// # Safety
///
/// `request` points to a request that FCGX_InitRequest has initialised, or that is all zeros.
pub(super) unsafe fn block_of(request: *mut FCGX_Request) -> *mut Block {
    // SAFETY: the caller passes an initialised request; only `request::begin` stores a pointer there.
    unsafe { (*request).paramsPtr.cast() }
}

/// Returns the connection's descriptor, as in the program's request.
///
/// # Safety
///
/// `block` is the live block of an accepted request.
pub(super) unsafe fn descriptor(block: *mut Block) -> c_int {
    // SAFETY: the caller passes a live block; its request must not move while it is accepted.
    unsafe { (*(*block).body.data.request).ipcFd }
}

/// Returns the sending side of a block's connection, which every thread of the request may use.
///
/// # Safety
///
/// `block` is live as long as the result is used.
pub(super) unsafe fn sending<'a>(block: *mut Block) -> &'a Sending {
    // SAFETY: the caller keeps the block alive, and only shared references are made to this field.
    unsafe { &(*block).sending }
}

/// Returns the connection of a block.
///
/// # Safety
///
/// `block` is the live block of an accepted request. The result is used before anything else
/// reaches the block's connection.
pub(super) unsafe fn connection<'a>(block: *mut Block) -> Option<&'a mut Connection> {
    // SAFETY: the caller passes a live block and uses no other reference to its connection meanwhile.
    unsafe { (*block).connection.as_mut() }
}

/// Takes a spare block for a request, or makes one.
pub(super) fn take() -> Result<*mut Block, NoMemory> {
    let block = BLOCKS.take().map_or_else(new_block, |spare| Ok(spare.into_raw()))?;
    WITH_BLOCK.fetch_add(1, Ordering::SeqCst);
    Ok(block)
}

/// Releases the output buffers, which a finished request no longer needs.
pub(super) fn release_buffers(block: &mut Block) {
    block.out.writer.release();
    block.err.writer.release();
}

/// Keeps the block of an ended request for a later one, or frees it.
///
/// # Safety
///
/// `block` is from [`take`], and its request was its only user.
pub(super) unsafe fn release(block: *mut Block) {
    WITH_BLOCK.fetch_sub(1, Ordering::SeqCst);
    // SAFETY: the caller passes a block from `take` that has no user left.
    unsafe {
        release_buffers(&mut *block);
        BLOCKS.put(Spare(block));
    }
}

/// Frees the spare blocks.
pub(super) fn clear() {
    BLOCKS.clear();
}
