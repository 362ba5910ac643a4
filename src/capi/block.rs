//! The memory behind an accepted `FCGX_Request`.

use std::mem::ManuallyDrop;

use super::envp::Envp;
use super::reader::Input;
use super::writer::Output;
use crate::os::memory::{NoMemory, boxed};
use crate::serve::Connected;
use crate::serve::sending::Sending;
use crate::serve::store::{MOST, Store};

/// Streams, output buffers, environment and connection of one request.
#[derive(Debug)]
pub struct Block {
    pub(super) connected: Option<Connected>,
    pub(super) sending: Sending,
    pub(super) body: Input,
    pub(super) out: Output,
    pub(super) err: Output,
    pub(super) envp: Envp,
}

impl Block {
    fn new() -> Self {
        Self {
            connected: None,
            sending: Sending::new(),
            body: Input::new(),
            out: Output::new(),
            err: Output::new(),
            envp: Envp::new(),
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

/// Takes a block that no request uses, or makes one.
pub(super) fn take() -> Result<*mut Block, NoMemory> {
    BLOCKS.take().map_or_else(new_block, |spare| Ok(spare.into_raw()))
}

/// Keeps a block for later requests, or frees it.
///
/// # Safety
///
/// `block` is from [`take`]; no request uses it any more.
pub(super) unsafe fn give_back(block: *mut Block) {
    BLOCKS.put(Spare(block));
}

/// Frees the blocks that are kept for later requests.
pub fn clear() {
    BLOCKS.clear();
}
